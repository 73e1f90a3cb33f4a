"""The contract between gateway and whoever follows orders: one JSON document a step, versioned.

``{"v":1,"gateway","boot","seq","meter","act":{"topic","subject","step","verb","at","actor","is_open","body",
"number","hash"}}``: the act as the log keeps it. ``subject`` is the order's id, ``verb`` what happened;
``body`` says ``from`` and ``to``, its states, and ``kind``; ``number`` and ``hash`` are its place in the
chain, so that who keeps these messages has a witness outside the gateway. ``seq`` as in ``envelope``.
Source: decisions 15, 21 and 34.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meterlink.model import payload as fields
from meterlink.model.act import Act, KeptAct, Topic, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class ActEnvelope:
    """One message: an act and where in which gateway's log it stands."""

    gateway: str
    boot: int
    seq: int
    kept: KeptAct

    def to_json(self) -> bytes:
        """The payload as UTF-8 JSON.

        Raises:
            ValueError: the act's body is none.

        """
        act = self.kept.act
        return fields.write(
            {
                "v": fields.VERSION,
                "gateway": self.gateway,
                "boot": self.boot,
                "seq": self.seq,
                "meter": act.meter,
                "act": {
                    "topic": act.topic.value,
                    "subject": act.subject,
                    "step": act.step,
                    "verb": act.verb,
                    "at": fields.time_out(act.at),
                    "actor": act.actor,
                    "is_open": act.is_open,
                    "body": plain(act.body),
                    "number": self.kept.number,
                    "hash": self.kept.hash,
                },
            }
        )

    @classmethod
    def from_json(cls, payload: bytes) -> ActEnvelope:
        """Undo ``to_json``.

        Raises:
            EnvelopeError: not JSON, another version, a field missing or of the wrong kind.

        """
        return fields.read(payload, _envelope_in)


def _envelope_in(document: dict[str, Any]) -> ActEnvelope:
    told = document["act"]
    if not isinstance(told["body"], dict) or not isinstance(told["is_open"], bool):
        raise TypeError("a body is a table, and open or not is a truth value")
    act = Act(
        topic=Topic(told["topic"]),
        subject=fields.text_in(told["subject"]),
        step=fields.count_in(told["step"]),
        verb=fields.text_in(told["verb"]),
        at=fields.time_in(told["at"]),
        actor=fields.text_in(told["actor"]),
        meter=fields.text_in(document["meter"]),
        body=plain(told["body"]),
        is_open=told["is_open"],
    )
    kept = KeptAct(number=fields.count_in(told["number"]), hash=fields.text_in(told["hash"]), act=act)
    return ActEnvelope(
        gateway=fields.text_in(document["gateway"]),
        boot=fields.count_in(document["boot"]),
        seq=fields.count_in(document["seq"]),
        kept=kept,
    )
