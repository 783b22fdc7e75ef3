"""FastAPI and the sqlite3 module with nothing between, written by hand for these requests only.

One connection, on the event loop. As durable as Belongings: a log that is synced before every answer.
"""

import os
import sqlite3
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy import make_url

from domain.text import fold_text


class ItemCreate(BaseModel):
    title: str
    description: str | None = None
    price: float | None = None


def create_app() -> FastAPI:
    app = FastAPI()
    database = sqlite3.connect(str(make_url(os.environ["DATABASE_URL"]).database), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        database.execute(f"PRAGMA {pragma}")
    query = database.execute

    @app.get("/users/{user_id}")
    async def read_user(user_id: int) -> Response:
        user = query("SELECT id, email, is_active FROM users WHERE id = ?", (user_id,)).fetchone()
        if user is None:
            raise HTTPException(404, "User not found")
        theirs = "SELECT title, description, price, id, owner_id FROM items WHERE owner_id = ? ORDER BY id LIMIT 100"
        items = query(theirs, (user_id,))
        return _json(_user(user, [_item(row) for row in items]))

    @app.get("/users/")
    async def read_users(skip: int = 0, limit: int = 100) -> Response:
        page = "SELECT id, email, is_active FROM users ORDER BY id LIMIT ? OFFSET ?"
        users = query(page, (limit, skip)).fetchall()
        items: dict[int, list[Any]] = {user[0]: [] for user in users}
        theirs = """SELECT title, description, price, id, owner_id FROM items
            WHERE owner_id BETWEEN ? AND ? ORDER BY owner_id, id"""
        for row in query(theirs, (users[0][0], users[-1][0])) if users else ():
            items[row[4]].append(_item(row))
        return _json([_user(user, items[user[0]][:100]) for user in users])

    @app.get("/items/")
    async def read_items(skip: int = 0, limit: int = 100) -> Response:
        page = "SELECT title, description, price, id, owner_id FROM items ORDER BY id LIMIT ? OFFSET ?"
        return _json([_item(row) for row in query(page, (limit, skip))])

    @app.post("/users/{user_id}/items/")
    async def create_item(user_id: int, item: ItemCreate) -> Response:
        cents = None if item.price is None else round(item.price * 100)
        row = (item.title, item.description, cents, user_id)
        insert = """INSERT INTO items (title, description, price, owner_id, version, search_text)
            VALUES (?, ?, ?, ?, 1, ?)"""
        try:
            id = query(insert, (*row, fold_text(f"{item.title}\n{item.description or ''}"))).lastrowid
        except sqlite3.IntegrityError:
            raise HTTPException(404, "User not found") from None
        return _json(_item((*row[:3], id, user_id)))

    return app


def _item(row: Any) -> dict[str, Any]:
    title, description, cents, id, owner_id = row
    price = None if cents is None else cents / 100
    return {"title": title, "description": description, "price": price, "id": id, "owner_id": owner_id}


def _user(row: Any, items: list[Any]) -> dict[str, Any]:
    id, email, is_active = row
    return {"email": email, "id": id, "is_active": bool(is_active), "items": items}


def _json(content: Any) -> Response:
    return Response(to_json(content), media_type="application/json")
