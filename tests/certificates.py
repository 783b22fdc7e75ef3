"""Self-signed certificates for 127.0.0.1, valid for an hour."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import CertificateBuilder, IPAddress, Name, SubjectAlternativeName, random_serial_number


def make_certificate(folder: Path, *, password: bytes | None = None) -> tuple[Path, Path]:
    """Create a certificate and its key; return their files.

    :param password: encrypts the key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        CertificateBuilder(Name([]), Name([]), key.public_key(), random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(SubjectAlternativeName([IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    (certificate_file := folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (key_file := folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return certificate_file, key_file
