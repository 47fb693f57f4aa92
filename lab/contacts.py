"""All the people to talk to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from actors.instance.connection.engine import engine_binary
from lab.accounts import LabError
from lab.contact import Contact as Contact

if TYPE_CHECKING:
    from lab.network import Lab
    from lab.state import State

ENGINE = engine_binary(lab=True)
"""The engine that contacts run unless told otherwise."""


class Contacts:
    """All contacts of a lab."""

    def __init__(self, lab: Lab, state: State, binary: Path) -> None:
        self._lab = lab
        self._state = state
        self._binary = binary
        self._contacts: dict[str, Contact] = {}

    def resume(self) -> None:
        """Start the contacts of an earlier run again, in the background."""
        for phone, name in self._state.rows("SELECT phone, name FROM contact ORDER BY phone"):
            self._contacts[phone] = Contact(self._lab, self._state, phone, name, self._binary)
            self._contacts[phone].run()

    async def stop(self) -> None:
        """End every contact's engine."""
        await asyncio.gather(*(contact.stop() for contact in self._contacts.values()))

    def all(self) -> list[Contact]:
        """Every contact."""
        return list(self._contacts.values())

    def get(self, phone: str) -> Contact:
        """The contact with this number. Raises LabError."""
        contact = self._contacts.get(phone)
        if contact is None:
            raise LabError("no_such_contact", f"no contact has the number {phone}; create it first", 404)
        return contact

    async def create(self, phone: str, name: str = "") -> Contact:
        """A new contact, connected. Raises LabError."""
        if phone in self._contacts:
            raise LabError("contact_exists", f"the number {phone} is a contact already")
        if not self._binary.is_file():
            raise LabError(
                "no_engine", f"there is no engine at {self._binary}: build it with make engine", 503
            )
        account = self._lab.account(phone, name)
        if account.devices:
            raise LabError("account_in_use", f"{phone} has linked devices already: choose another number")
        contact = Contact(self._lab, self._state, phone, name, self._binary)
        contact.forget()
        self._contacts[phone] = contact
        self._state.run("INSERT INTO contact VALUES (?, ?)", phone, name)
        contact.run()
        try:
            await contact.ready()
        except BaseException:
            await self.delete(phone)
            raise
        return contact

    async def delete(self, phone: str) -> None:
        """End a contact and forget what arrived; its account stays. Raises LabError."""
        contact = self.get(phone)
        del self._contacts[phone]
        await contact.stop()
        self._state.run("DELETE FROM contact WHERE phone = ?", phone)
        contact.forget()
        for device in list(self._lab.account(phone).devices.values()):
            self._lab.board.remove_device(device)
