"""Full replacement: all activations of a model at one site are what a mapper makes of another model's."""

from ..following import Follow, Link
from ..generation import Row
from ..models import Model
from ..task import Carrier, Sites
from .conditions import Condition


def replacing_all(source: Model, sites: Sites, carrier: Carrier) -> Condition:
    """The condition; who asks for it says what the source reads."""
    follow = Follow(source, (Link(*sites, carrier.carry),), f"{source.identity} {carrier.identity}")
    return Condition("replacement", lambda _, text: Row(text, follow=follow), of_mapper=True)
