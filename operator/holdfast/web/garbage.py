"""The search for garbage: where much is mirrored, walking through all of it stops every answer, again and again."""

import gc

from holdfast.ports import Mirror


def spare(mirror: Mirror) -> None:
    """Whenever all is mirrored anew, take what is there out of the search. It goes when nobody holds it any more: only
    what holds itself in a circle would stay, and nothing that is mirrored does."""

    def settle() -> None:
        if mirror.current():
            gc.collect()
            gc.freeze()

    mirror.attend(settle)
