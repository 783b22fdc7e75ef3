"""The write side: entities, loaded and stored by a session."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.sql.errors import in_domain_terms
from adapters.sql.tables import items, users
from domain.errors import EmailTaken, ItemNotFound, UserNotFound
from domain.items import Item
from domain.users import User


class SqlAlchemyUserRepository:
    """Asks before it inserts, so that a refusal costs no id; against a race the constraint decides."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: list[User] = []  # a session holds weak references only

    def add(self, user: User) -> None:
        with in_domain_terms():
            self._session.flush()  # an address that was changed before is free
            if self._session.scalar(select(users.c.id).where(users.c.email_key == user.email_key)):
                raise EmailTaken
            self._session.add(user)
            self._session.flush()

    def get(self, user_id: int) -> User:
        with in_domain_terms():
            user = self._session.get(User, user_id)
        if user is None:
            raise UserNotFound
        self._held.append(user)
        return user

    def remove(self, user: User) -> None:
        with in_domain_terms():
            held = {entity.id: entity for entity in self._session if isinstance(entity, Item)}
            there = self._stored(held)
            self._session.delete(user)
            self._session.flush()
            for id in there - self._stored(held):
                self._session.expunge(held[id])  # the database has removed it too

    def _stored(self, held: Collection[int | None]) -> set[int]:
        return set(self._session.scalars(select(items.c.id).where(items.c.id.in_(held)))) if held else set()


class SqlAlchemyItemRepository:
    """Asks before it inserts, so that a refusal costs no id; against a race the constraint decides."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: list[Item] = []

    def add(self, item: Item) -> None:
        with in_domain_terms():
            if item.owner_id is not None and not self._session.scalar(
                select(users.c.id).where(users.c.id == item.owner_id)
            ):
                raise UserNotFound
            self._session.add(item)
            self._session.flush()

    def get(self, item_id: int) -> Item:
        with in_domain_terms():
            item = self._session.get(Item, item_id)
        if item is None:
            raise ItemNotFound
        self._held.append(item)
        return item

    def remove(self, item: Item) -> None:
        with in_domain_terms():
            self._session.delete(item)
            self._session.flush()
