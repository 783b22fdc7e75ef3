"""Where the service listens, and where it refuses to."""

import socket
from ipaddress import ip_address

import pytest

from entrypoints.serving import CannotServe, find_address, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "127.1", "::1"])
def test_it_listens_where_only_this_machine_can_call(host: str) -> None:
    assert ip_address(find_address(host, 8000, open_to_network=False)[1][0]).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "0x0", "::ffff:0.0.0.0", "192.0.2.1", "fe80::1"])
def test_it_refuses_where_other_machines_can_call_unless_that_is_meant(host: str) -> None:
    with pytest.raises(CannotServe, match=r"asks nobody to sign in.*--open-to-network") as refusal:
        find_address(host, 0, open_to_network=False)
    assert "\n" not in str(refusal.value)


def test_a_name_is_judged_by_the_address_that_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        assert host == "localhost"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("0.0.0.0", port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    with pytest.raises(CannotServe, match="other machines"):
        find_address("localhost", 0, open_to_network=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_it_listens_on_every_address_if_that_is_meant(host: str) -> None:
    assert find_address(host, 8000, open_to_network=True)[1][:2] == (host, 8000)


def test_what_was_found_can_be_listened_on() -> None:
    with listen(*find_address("localhost", 0, open_to_network=False)) as listener:
        assert listener.getsockname()[1] > 0


def test_a_host_that_does_not_exist_is_one_clear_line() -> None:
    with pytest.raises(CannotServe, match=r"cannot listen on :8000: Name or service not known"):
        find_address("", 8000, open_to_network=False)
