"""The lab's control interface: HTTP and JSON on loopback, described by itself at ``/openapi.json``."""

from __future__ import annotations

from lab.control import chats as chats
from lab.control import groups as groups
from lab.control import history as history
from lab.control import media as media
from lab.control import operations as operations
from lab.control.http import application as application
from lab.control.http import openapi as openapi
