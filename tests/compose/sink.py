"""The next hop of the compose tests: keeps each message as a file in /mail, slowly enough to be interrupted."""

import asyncio
import uuid
from pathlib import Path

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

MAIL = Path("/mail")
SECONDS_EACH = 0.05


class Keep:
    """Write the message, then answer."""

    async def handle_DATA(  # noqa: N802  (aiosmtpd names the hook)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Return the reply; the file appears whole or not at all."""
        await asyncio.sleep(SECONDS_EACH)
        name = uuid.uuid4().hex
        new = MAIL / f".{name}"
        new.write_bytes(envelope.original_content or b"")
        new.rename(MAIL / name)
        return f"250 2.0.0 kept as {name}"


def main() -> None:
    """Serve until killed."""
    loop = asyncio.new_event_loop()
    controller = UnthreadedController(Keep(), hostname="0.0.0.0", port=25, loop=loop)
    loop.run_until_complete(controller._create_server())
    loop.run_forever()


if __name__ == "__main__":
    main()
