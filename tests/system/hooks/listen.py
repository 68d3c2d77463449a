"""Another service: it listens to this machine, by TCP and by a socket that everybody may connect to."""

import os
import selectors
import socket
from pathlib import Path

listeners = [
    socket.create_server(("127.0.0.1", 4711)),
    socket.create_server(("::1", 4711), family=socket.AF_INET6),
    socket.socket(socket.AF_UNIX),
]
listeners[-1].bind("/run/other.socket")
Path("/run/other.socket").chmod(0o666)
listeners[-1].listen()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
selector = selectors.DefaultSelector()
for listener in listeners:
    selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        key.fileobj.accept()[0].close()  # type: ignore[union-attr]
