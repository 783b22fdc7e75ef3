"""FastAPI and asyncpg with nothing between, written by hand for these requests only."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel
from pydantic_core import to_json

from domain.text import fold_text


class ItemCreate(BaseModel):
    title: str
    description: str | None = None
    price: float | None = None


def create_app() -> FastAPI:
    asyncpg: Any = import_module("asyncpg")  # it has no types, and is there for these figures only
    pool: Any = None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal pool
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], max_size=10, reset=_nothing_to_reset) as pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/users/{user_id}")
    async def read_user(user_id: int) -> Response:
        statement = """SELECT u.id, email, is_active, title, description, price, i.id, owner_id
            FROM users u LEFT JOIN items i ON owner_id = u.id WHERE u.id = $1 ORDER BY owner_id, i.id LIMIT 100"""
        rows = await pool.fetch(statement, user_id)
        if not rows:
            raise HTTPException(404, "User not found")
        return _json(_user(rows[0], [_item(row[3:]) for row in rows if row[6] is not None]))

    @app.get("/users/")
    async def read_users(skip: int = 0, limit: int = 100) -> Response:
        statement = """SELECT u.id, email, is_active, title, description, price, i.id, owner_id
            FROM (SELECT id, email, is_active FROM users ORDER BY id LIMIT $1 OFFSET $2) u LEFT JOIN LATERAL
            (SELECT * FROM items WHERE owner_id = u.id ORDER BY owner_id, id LIMIT 100) i ON true
            ORDER BY u.id, i.id"""
        users: dict[int, dict[str, Any]] = {}
        for id, email, is_active, *item in await pool.fetch(statement, limit, skip):
            if id not in users:
                users[id] = {"email": email, "id": id, "is_active": is_active, "items": []}
            if item[3] is not None:
                users[id]["items"].append(_item(item))
        return _json(list(users.values()))

    @app.get("/items/")
    async def read_items(skip: int = 0, limit: int = 100) -> Response:
        statement = "SELECT title, description, price, id, owner_id FROM items ORDER BY id LIMIT $1 OFFSET $2"
        rows = await pool.fetch(statement, limit, skip)
        return _json([_item(row) for row in rows])

    @app.post("/users/{user_id}/items/")
    async def create_item(user_id: int, item: ItemCreate) -> Response:
        cents = None if item.price is None else round(item.price * 100)
        row = (item.title, item.description, cents, user_id)
        insert = """INSERT INTO items (title, description, price, owner_id, version, search_text)
            VALUES ($1, $2, $3, $4, 1, $5) RETURNING id"""
        try:
            id = await pool.fetchval(insert, *row, fold_text(f"{item.title}\n{item.description or ''}"))
        except asyncpg.ForeignKeyViolationError:
            raise HTTPException(404, "User not found") from None
        return _json(_item((*row[:3], id, user_id)))

    return app


async def _nothing_to_reset(_connection: Any) -> None:
    """The pool would spend a round trip after every request on undoing what nobody does here."""


def _item(row: Any) -> dict[str, Any]:
    title, description, cents, id, owner_id = row
    price = None if cents is None else cents / 100
    return {"title": title, "description": description, "price": price, "id": id, "owner_id": owner_id}


def _user(row: Any, items: list[Any]) -> dict[str, Any]:
    return {"email": row[1], "id": row[0], "is_active": row[2], "items": items}


def _json(content: Any) -> Response:
    return Response(to_json(content), media_type="application/json")
