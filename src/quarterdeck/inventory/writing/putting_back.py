"""The way back of one draft: what people replaced is put back where nobody touched it since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quarterdeck.inventory.models import Kind, Lifecycle
from quarterdeck.inventory.writing.content import Content, checked
from quarterdeck.inventory.writing.drafts import Draft, Said
from quarterdeck.inventory.writing.effective import IMPORT, PEOPLE

Replaced = Mapping[str, Mapping[str, Any]]  # {"owner": {"old": "a", "new": "b"}}
_NONE = object()


def put_back(draft: Draft, image: Mapping[str, Any]) -> bool:
    """Put what `BeforeImage.replaced` holds back into the draft; False when something of it changed since.

    What is as it was already is no change.
    """
    if draft.item.merged_into_id is not None:
        return False
    desired, imported = image.get("desired", {}), image.get("import", {})
    said = next((one for one in draft.said.values() if one.source == IMPORT), None)
    content = said.content if said else {}
    if not _is_untouched(draft.desired, desired) or not _is_untouched(content, imported):
        return False
    if not (_is_allowed(draft, desired) and _is_allowed(draft, imported)):
        return False
    draft.desired = _with_old(draft.desired, desired)
    if imported and said is not None:
        _put_said(draft, said, _with_old(content, imported))
    elif imported and any("old" in pair for pair in imported.values()):
        return False  # the record was purged with a merge or a split
    return "lifecycle" not in image or _move_back(draft, image["lifecycle"])


def _is_untouched(values: Content, replaced: Replaced) -> bool:
    return all(
        values.get(name, _NONE) in (pair.get("new", _NONE), pair.get("old", _NONE)) for name, pair in replaced.items()
    )


def _is_allowed(draft: Draft, replaced: Replaced) -> bool:
    """Whether the old values still fit the type, which may have changed. Secrets are kept as digests: no rule fits."""
    secrets = {code for code, spec in draft.spec.attributes.items() if spec.kind == Kind.SECRET}
    old = {name: pair["old"] for name, pair in replaced.items() if "old" in pair and name not in secrets}
    return not checked(draft.spec, old)[1]


def _with_old(values: Content, replaced: Replaced) -> Content:
    result = dict(values)
    for name, pair in replaced.items():
        if "old" in pair:
            result[name] = pair["old"]
        else:
            result.pop(name, None)
    return result


def _put_said(draft: Draft, said: Said, content: Content) -> None:
    """Change what files said. Without its hash, the same file again is news again; saying nothing, it goes."""
    key = (said.source, said.scope, said.external_id)
    draft.imported = said.content
    if content:
        draft.said[key] = replace(said, content=content, content_hash=b"", is_changed=True)
    else:
        del draft.said[key]


def _move_back(draft: Draft, moved: Mapping[str, str]) -> bool:
    """Put the item into its former stage of life, unless it has moved on."""
    if draft.item.lifecycle not in (moved["new"], moved["old"]):
        return False
    draft.lifecycle = moved["old"]
    if draft.lifecycle == Lifecycle.ACTIVE and draft.item.lifecycle != Lifecycle.ACTIVE:
        for one in draft.said.values():
            one.is_changed = True  # its identities count again
    return True


def put_into_trash(draft: Draft, *, is_edited: bool) -> bool:
    """Put an item into the trash that the change set made; False when people or other sources speak of it by now."""
    others = any(one.is_live and one.source not in PEOPLE for one in draft.said.values())
    if draft.item.lifecycle == Lifecycle.TRASHED:
        return True
    if is_edited or others:
        return False
    draft.lifecycle = Lifecycle.TRASHED.value
    return True
