"""Mail settings from a Secret that the kubelet has mounted, as they are at the moment."""

from collections.abc import Mapping
from pathlib import Path

from holdfast.errors import InvalidMailSettings
from holdfast.services.mail_account import HOUSE_WORDS


def mounted_settings(folder: Path) -> Mapping[str, str]:
    """Each file's text, by its name: a changed Secret counts without a new pod.

    InvalidMailSettings if they cannot be read.
    """
    try:
        # A mount has folders beside its files, in which the kubelet keeps what they lead to.
        return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMailSettings(
            f"A value of {HOUSE_WORDS} cannot be read.", hint="Each of its values must be text."
        ) from error
