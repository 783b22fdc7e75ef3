"""The service of FastAPI's SQL tutorial, as published, in today's spelling.

Entities with lazy loading, a session from a dependency, ``def`` endpoints, validated response models,
the tutorial's own columns and indexes, and every default of the engine and of the database.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import URL, Engine, ForeignKey, create_engine, make_url, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    email: Mapped[str] = mapped_column(unique=True, index=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)

    items: Mapped[list["Item"]] = relationship(back_populates="owner")


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    title: Mapped[str] = mapped_column(index=True)
    description: Mapped[str | None] = mapped_column(index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    owner: Mapped[User | None] = relationship(back_populates="items")


class ItemCreate(BaseModel):
    title: str
    description: str | None = None


class ShownItem(ItemCreate):
    model_config = ConfigDict(from_attributes=True)

    id: int
    owner_id: int


class ShownUser(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    email: str
    id: int
    is_active: bool
    items: list[ShownItem] = []


def get_db(request: Request) -> Iterator[Session]:
    db: Session = request.app.state.SessionLocal()
    try:
        yield db
    finally:
        db.close()


Db = Annotated[Session, Depends(get_db)]
router = APIRouter()


@router.get("/users/", response_model=list[ShownUser])
def read_users(db: Db, skip: int = 0, limit: int = 100) -> Sequence[User]:
    return db.scalars(select(User).offset(skip).limit(limit)).all()


@router.get("/users/{user_id}", response_model=ShownUser)
def read_user(user_id: int, db: Db) -> User:
    db_user = db.scalars(select(User).where(User.id == user_id)).first()
    if db_user is None:
        raise HTTPException(status_code=404, detail="User not found")
    return db_user


@router.post("/users/{user_id}/items/", response_model=ShownItem)
def create_item_for_user(user_id: int, item: ItemCreate, db: Db) -> Item:
    db_item = Item(**item.model_dump(), owner_id=user_id)
    db.add(db_item)
    db.commit()
    db.refresh(db_item)
    return db_item


@router.get("/items/", response_model=list[ShownItem])
def read_items(db: Db, skip: int = 0, limit: int = 100) -> Sequence[Item]:
    return db.scalars(select(Item).offset(skip).limit(limit)).all()


def engine_for(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return create_engine(url, connect_args={"check_same_thread": False})
    return create_engine(url.set(drivername="postgresql+psycopg"))


def create_app() -> FastAPI:
    app = FastAPI()
    engine = engine_for(make_url(os.environ["DATABASE_URL"]))
    Base.metadata.create_all(bind=engine)
    app.state.SessionLocal = sessionmaker(autoflush=False, bind=engine)
    app.include_router(router)
    return app
