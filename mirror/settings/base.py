"""What all sections of `mirror.toml` are."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Keys that are all known, values that never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
