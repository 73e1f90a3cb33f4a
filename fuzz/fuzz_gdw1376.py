"""The garbage rule for Q/GDW 1376: ``python -m fuzz.fuzz_gdw1376``.

Any octets give frames or nothing, whole and octet by octet; put behind a right head and a right sum, they
reach units, layouts and sessions of both parts, which never raise. What was read goes out as it came.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["meterwire"]):
    from meterwire.errors import RemoteProtocolError
    from meterwire.gdw1376.link import module_frame, terminal_frame
    from meterwire.gdw1376.link.deframer import MODULE, TERMINAL, Deframer
    from meterwire.gdw1376.link.module_frame import DownInfo
    from meterwire.gdw1376.link.terminal_frame import Address
    from meterwire.gdw1376.messages import module, terminal
    from meterwire.gdw1376.messages.secrets import module_secret_ranges, terminal_secret_ranges
    from meterwire.gdw1376.sessions.module_exchange import ModuleExchange
    from meterwire.gdw1376.sessions.module_listener import ModuleListener
    from meterwire.gdw1376.sessions.module_server import ModuleServer
    from meterwire.gdw1376.sessions.terminal_exchange import TerminalExchange
    from meterwire.gdw1376.sessions.terminal_listener import TerminalListener
    from meterwire.gdw1376.sessions.terminal_server import TerminalServer

_DATA_OCTETS_MAX = 1000
_REQUEST = terminal.request(Address("4403", 4, 1), 0x0C, [terminal.unit(0x0C, 2)])


def one_input(octets: bytes) -> None:
    """One try; anything that gets out of here is a bug of ours."""
    _stream(octets)
    data = octets[:_DATA_OCTETS_MAX]
    tail = bytes((sum(data) & 0xFF, 0x16))
    _terminal(b"h" + (len(data) << 2 | 2).to_bytes(2, "little") * 2 + b"h" + data + tail)
    _module(b"h" + (len(data) + 5).to_bytes(2, "little") + data + tail)


def _stream(octets: bytes) -> None:
    for grammar in (TERMINAL, MODULE):
        whole, singly = Deframer(grammar), Deframer(grammar)
        found = whole.feed(octets)
        assert found == [one for octet in octets for one in singly.feed(bytes((octet,)))]
        whole.clear()
        assert whole.pending == 0
        assert len(octets) == whole.skipped + sum(len(one.octets) for one in found)


def _terminal(octets: bytes) -> None:
    terminal_secret_ranges(octets)
    exchange, listener = TerminalExchange(_REQUEST), TerminalListener(lambda _: True)
    exchange.octets_to_send()
    for session in (exchange, listener, TerminalServer(Address("4403", 4), lambda _: [])):
        session.feed(octets)
        session.octets_to_send()
    for wide in (False, True):
        try:
            frame = terminal_frame.decode(octets, wide=wide)
            message = terminal.from_frame(frame)
        except RemoteProtocolError:
            continue
        assert frame == terminal.to_frame(message)
        assert octets == terminal.encode(message)


def _module(octets: bytes) -> None:
    module_secret_ranges(octets)
    exchange, listener = ModuleExchange(module.request(DownInfo(1), 3, 1)), ModuleListener()
    exchange.octets_to_send()
    for session in (exchange, listener, ModuleServer()):
        session.feed(octets)
        session.octets_to_send()
    try:
        frame = module_frame.decode(octets)
    except RemoteProtocolError:
        return
    module.from_frame(frame)
    assert frame == module_frame.decode(module_frame.encode(frame))


def main() -> None:
    """Run until the time given on the command line is over."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
