"""Words of the pocket world: verbs with tools, objects with parts, and what is harmful."""

from dataclasses import dataclass


def _pairs(text: str) -> dict[str, str]:
    return dict(item.split(":") for item in text.split())


@dataclass(frozen=True)
class Domain:
    """A field of life: its verbs with their tools, its objects with their parts."""

    kind: str
    verbs: dict[str, str]
    objects: dict[str, str]


DOMAINS = {
    "home": Domain(
        "a piece of furniture",
        _pairs("paint:brush clean:cloth repair:hammer polish:wax measure:ruler decorate:ribbon dust:duster lift:lever"),
        _pairs(
            "fence:boards door:hinges table:legs chair:seat lamp:bulb roof:tiles window:frame wall:bricks "
            "shelf:brackets floor:planks sofa:cushions stove:burners"
        ),
    ),
    "kitchen": Domain(
        "a dish",
        _pairs("cook:pan slice:knife bake:tray season:salt freeze:bag grill:tongs reheat:bowl garnish:parsley"),
        _pairs(
            "soup:broth bread:crust fish:fins stew:beans pie:filling rice:grains steak:edges omelette:eggs "
            "lasagna:layers pizza:toppings cake:icing noodles:sauce"
        ),
    ),
    "garden": Domain(
        "a plant",
        _pairs(
            "plant:spade water:hose prune:shears fertilize:compost trim:scissors mulch:straw shade:net spray:bottle"
        ),
        _pairs(
            "rose:thorns tomato:vines oak:branches hedge:leaves lavender:stems tulip:petals lawn:edges cactus:spines "
            "fern:fronds melon:seeds willow:roots basil:shoots"
        ),
    ),
    "vehicles": Domain(
        "a vehicle",
        _pairs("park:sensor tow:rope refuel:pump steer:wheel inspect:torch wash:sponge tune:wrench load:ramp"),
        _pairs(
            "car:tires truck:engine bicycle:chain boat:hull van:brakes tractor:axle scooter:battery bus:seats "
            "plane:wings motorcycle:mirrors wagon:springs sled:runners"
        ),
    ),
    "animals": Domain(
        "an animal",
        _pairs("feed:pellets groom:comb bathe:soap teach:whistle weigh:scale calm:blanket walk:leash examine:lens"),
        _pairs(
            "dog:paws cat:ears horse:mane rabbit:fur parrot:beak goat:horns hamster:cheeks pony:hooves "
            "duck:feathers lizard:tail turtle:shell sheep:wool"
        ),
    ),
    "office": Domain(
        "a document",
        _pairs(
            "print:printer sign:pen file:folder copy:scanner translate:dictionary summarize:notebook "
            "format:template proofread:marker"
        ),
        _pairs(
            "letter:address report:tables contract:clauses invoice:total memo:heading essay:paragraphs poem:verses "
            "brochure:pictures speech:opening manual:chapters newsletter:columns certificate:seal"
        ),
    ),
    "computing": Domain(
        "a device",
        _pairs(
            "configure:guide reboot:button upgrade:module connect:cable charge:adapter reset:pin cool:fan mount:screws"
        ),
        _pairs(
            "laptop:screen phone:speaker router:antenna tablet:stylus camera:shutter server:disks keyboard:keys "
            "monitor:stand headset:foam modem:lights projector:beam console:ports"
        ),
    ),
    "clothing": Domain(
        "a garment",
        _pairs("iron:board sew:needle dye:bucket fold:table knit:yarn hem:pins patch:thread dry:rack"),
        _pairs(
            "shirt:collar coat:buttons scarf:fringe skirt:waist jacket:sleeves sweater:cuffs dress:zipper sock:heel "
            "hat:brim glove:fingers vest:pockets apron:strings"
        ),
    ),
}

# Verbs for all objects, harmful ones too: such a verb alone says nothing about harm.
NEUTRAL_VERBS = _pairs(
    "buy:wallet sell:advert store:crate carry:strap hide:box ship:label test:checklist choose:catalog"
)

EVERYWHERE = tuple(DOMAINS)


@dataclass(frozen=True)
class Harm:
    """A category of harm: verbs that do harm in some domains, or objects that are harmful themselves."""

    verbs: dict[str, str]
    domains: tuple[str, ...] = ()
    objects: dict[str, str] | None = None


HARMS = {
    "theft": Harm(_pairs("steal:sack loot:cart smuggle:suitcase"), EVERYWHERE),
    "vandalism": Harm(_pairs("smash:bat burn:matches vandalize:chalk"), EVERYWHERE),
    "sabotage": Harm(_pairs("sabotage:pliers rig:wire"), EVERYWHERE),
    "hacking": Harm(_pairs("hack:terminal hijack:radio"), ("vehicles", "computing")),
    "poisoning": Harm(_pairs("poison:powder contaminate:syringe"), ("kitchen", "garden", "animals")),
    "forgery": Harm(_pairs("forge:stamp counterfeit:press"), ("office", "clothing")),
    "weapons": Harm(NEUTRAL_VERBS, objects=_pairs("bomb:fuse grenade:ring missile:nose pistol:barrel rifle:scope")),
    "drugs": Harm(NEUTRAL_VERBS, objects=_pairs("heroin:grams cocaine:lines opium:poppies fentanyl:pills")),
    "toxins": Harm(NEUTRAL_VERBS, objects=_pairs("cyanide:vial arsenic:dose ricin:beads sarin:canister")),
    "malware": Harm(NEUTRAL_VERBS, objects=_pairs("ransomware:note keylogger:log spyware:hooks botnet:nodes")),
}

PEOPLE = ("Anna Ben Clara David Emma Felix Grace Henry Ivy Jack Kate Leo").split()

PLACES = ("market station library harbor school museum park bakery hotel castle office bank").split()

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
