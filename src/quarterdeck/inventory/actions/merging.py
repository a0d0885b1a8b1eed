"""One thing that became two items, and two things that became one: merge, its undoing, and split."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.inventory.actions.claiming import is_unclaimed
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Identity, Item, Lifecycle, Merge, MergeProposal, Observation, Relation
from quarterdeck.inventory.writing.drafts import Draft, Pen, drafts_of, new_draft
from quarterdeck.inventory.writing.effective import MANUAL
from quarterdeck.inventory.writing.saving import save


def _settle(items: Sequence[Item], pen: Pen, lifecycles: dict[int, str] | None = None) -> dict[int, Draft]:
    """Work the items out again from the observations that they have now, and save."""
    drafts = drafts_of(items, catalogue())
    Identity.objects.filter(item_id__in=[pk for pk, draft in drafts.items() if not draft.said]).delete()
    for draft in drafts.values():
        draft.lifecycle = (lifecycles or {}).get(draft.item.pk, "")
        for one in draft.said.values():
            one.is_changed = True
        draft.work_out()
    save(list(drafts.values()), pen)
    return drafts


def _locked(*ids: int) -> list[Item]:
    rows = {row.pk: row for row in Item.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    for pk in ids:
        if pk not in rows:
            raise NotFound(_("There is no item %(id)d.") % {"id": pk}, hint=_("It may have been purged or merged."))
    return [rows[pk] for pk in ids]


@action("inventory.merge")
def merge(actor: Actor, keep: Item, other: Item, *, reason: str = "") -> Merge:
    """Make two items one: `other` gives its observations, relations and wishes to `keep` and is retired.

    Wishes of `keep` win. `unmerge` gives everything back. Raises BadInput, Conflict, Denied.
    """
    if keep.pk == other.pk:
        raise BadInput(_("An item cannot be merged with itself."), hint=_("Choose two items."))
    keep, other = _locked(keep.pk, other.pk)
    require(actor, "inventory.merge", [keep, other])
    _refuse_odd_pair(keep, other)
    pen = Pen(actor, MANUAL, reason, now(), is_revertible=False)
    moved = _move_over(keep, other)
    _settle([other], pen, {other.pk: Lifecycle.RETIRED.value})
    _settle([keep], pen)
    done = Merge.objects.create(kept=keep, other=other, moved=moved, at=pen.at)
    MergeProposal.objects.filter(
        Q(first=keep, second=other) | Q(first=other, second=keep), decision=MergeProposal.Decision.OPEN
    ).update(decision=MergeProposal.Decision.MERGED, decided_at=pen.at)
    record(
        actor,
        "inventory.merge",
        keep,
        f"{other.name} ({other.pk})",
        after={"merge": done.pk, "other": other.pk},
        reason=reason,
    )
    return done


def _refuse_odd_pair(keep: Item, other: Item) -> None:
    if keep.type_id != other.type_id:
        raise BadInput(_("Items of different types cannot be merged."), hint=_("Choose two of the same type."))
    gone = next((one for one in (keep, other) if one.merged_into_id or one.lifecycle == Lifecycle.TRASHED), None)
    if gone is not None:
        raise Conflict(
            _('"%(name)s" is in the trash or was merged already.') % {"name": gone.name}, hint=_("Restore it first.")
        )


def _move_over(keep: Item, other: Item) -> dict[str, object]:
    """Move what `other` has to `keep` and return what was moved, for the way back."""
    observations = list(Observation.objects.filter(item=other).values_list("pk", flat=True))
    Observation.objects.filter(pk__in=observations).update(item=keep)
    moved = {
        "observations": observations,
        "relations": _move_relations(keep, other),
        "desired": other.desired,
        "kept_desired": keep.desired,
        "lifecycle": other.lifecycle,
    }
    keep.desired = {**other.desired, **keep.desired}
    if is_unclaimed(keep) != is_unclaimed(other):
        # Somebody has said what one of them is, so it is known of both: the sender's label does not come along.
        keep.desired["label.claim"] = None
    other.desired = {}
    other.merged_into = keep
    keep.save(update_fields=["desired"])
    other.save(update_fields=["desired", "merged_into"])
    return moved


def _move_relations(keep: Item, other: Item) -> list[dict[str, object]]:
    """Point the relations of `other` to `keep`; those that `keep` has already, or that would be loops, are dropped."""
    mine = set(Relation.objects.filter(Q(src=keep) | Q(dst=keep)).values_list("src_id", "dst_id", "type"))
    moved: list[dict[str, object]] = []
    for row in Relation.objects.filter(Q(src=other) | Q(dst=other)):
        src = keep.pk if row.src_id == other.pk else row.src_id
        dst = keep.pk if row.dst_id == other.pk else row.dst_id
        moved.append(
            {"src": row.src_id, "dst": row.dst_id, "type": row.type, "source": row.source, "now": [src, dst],
             "first_seen": row.first_seen.isoformat(), "last_seen": row.last_seen.isoformat()}
        )  # fmt: skip
        if src == dst or (src, dst, row.type) in mine:
            moved[-1]["now"] = None
            row.delete()
        else:
            mine.add((src, dst, row.type))
            Relation.objects.filter(pk=row.pk).update(src_id=src, dst_id=dst)
    return moved


@action("inventory.merge")
def unmerge(actor: Actor, merged: Merge, *, reason: str = "") -> Item:
    """Undo a merge: the other item gets its observations, relations and wishes back. Returns it. Raises Conflict."""
    merged = Merge.objects.select_for_update().get(pk=merged.pk)
    keep, other = _locked(merged.kept_id, merged.other_id)
    require(actor, "inventory.merge", [keep, other])
    if merged.undone_at is not None:
        raise Conflict(_("This merge was undone already."), hint=_("Load the page again."))
    pen = Pen(actor, MANUAL, reason, now(), is_revertible=False)
    Observation.objects.filter(pk__in=merged.moved["observations"], item=keep).update(item=other)
    _move_relations_back(merged)
    # What was set by hand since the merge stays with the kept item.
    wishes = merged.moved["desired"]
    before = merged.moved["kept_desired"]
    keep.desired = {
        field: value for field, value in keep.desired.items() if field in before or wishes.get(field) != value
    }
    other.desired = wishes
    other.merged_into = None
    keep.save(update_fields=["desired"])
    other.save(update_fields=["desired", "merged_into"])
    _settle([keep], pen)
    _settle([other], pen, {other.pk: merged.moved["lifecycle"]})
    merged.undone_at = pen.at
    merged.save(update_fields=["undone_at"])
    # Kept apart by a person: no proposal may come up again for the same evidence.
    first, second = sorted((keep.pk, other.pk))
    MergeProposal.objects.update_or_create(
        first_id=first, second_id=second,
        defaults={"decision": MergeProposal.Decision.REFUSED, "decided_at": pen.at},
        create_defaults={"decision": MergeProposal.Decision.REFUSED, "decided_at": pen.at, "created_at": pen.at},
    )  # fmt: skip
    record(actor, "inventory.unmerge", keep, f"{other.name} ({other.pk})", after={"merge": merged.pk}, reason=reason)
    other.refresh_from_db()
    return other


def _move_relations_back(merged: Merge) -> None:
    for row in merged.moved["relations"]:
        if row["now"]:
            Relation.objects.filter(src_id=row["now"][0], dst_id=row["now"][1], type=row["type"]).delete()
        ends = set(Item.objects.filter(pk__in=(row["src"], row["dst"])).values_list("pk", flat=True))
        if ends == {row["src"], row["dst"]}:
            Relation.objects.get_or_create(
                src_id=row["src"], dst_id=row["dst"], type=row["type"],
                defaults={name: row[name] for name in ("source", "first_seen", "last_seen")},
            )  # fmt: skip


@action("inventory.merge")
def split(actor: Actor, item: Item, observations: Sequence[int], *, reason: str = "") -> Item:
    """Take observations that are of another thing out of an item into a new one. Returns the new item.

    Raises BadInput when none or all of the item's observations are named.
    """
    (item,) = _locked(item.pk)
    require(actor, "inventory.merge", item)
    rows = list(Observation.objects.filter(item=item))
    chosen = [row for row in rows if row.pk in set(observations)]
    if not chosen or len(chosen) == len(rows) or len(chosen) != len(set(observations)):
        raise BadInput(
            _("A split needs some, but not all, of the item's observations."),
            hint=_("Choose the sources that speak of another thing."),
            field="observations",
        )
    pen = Pen(actor, MANUAL, reason, now(), is_revertible=False)
    draft = new_draft(catalogue().by_id[item.type_id], pen.at)
    draft.work_out()
    draft.after = {"name": str(chosen[0].attributes.get("name") or item.name)}
    save([draft], pen)
    fresh = draft.item
    Observation.objects.filter(pk__in=[row.pk for row in chosen]).update(item=fresh)
    Identity.objects.filter(item=item).delete()
    _settle([fresh], pen)
    _settle([item], pen)
    first, second = sorted((item.pk, fresh.pk))
    MergeProposal.objects.create(
        first_id=first, second_id=second, decision=MergeProposal.Decision.REFUSED, created_at=pen.at, decided_at=pen.at
    )
    record(actor, "inventory.split", item, f"{fresh.name} ({fresh.pk})", after={"new": fresh.pk}, reason=reason)
    fresh.refresh_from_db()
    return fresh


@action("inventory.merge")
def propose(actor: Actor, first: Item, second: Item, evidence: Sequence[dict[str, str]] = ()) -> MergeProposal:
    """Propose that two items are one. An earlier decision stays."""
    if first.pk == second.pk:
        raise BadInput(_("An item cannot be merged with itself."), hint=_("Choose two items."))
    require(actor, "inventory.merge", [first, second])
    low, high = sorted((first.pk, second.pk))
    proposal, is_new = MergeProposal.objects.get_or_create(
        first_id=low, second_id=high, defaults={"evidence": list(evidence), "created_at": now()}
    )
    if is_new:
        record(actor, "inventory.propose", first, f"{second.name} ({second.pk})")
    return proposal


@action("inventory.merge")
def decide(
    actor: Actor, proposal: MergeProposal, accept: bool, *, keep: Item | None = None, reason: str = ""
) -> Merge | None:
    """Merge the proposal's items (keeping the older, or `keep`), or refuse: the pair is not proposed again."""
    proposal = MergeProposal.objects.select_for_update().select_related("first", "second").get(pk=proposal.pk)
    require(actor, "inventory.merge", [proposal.first, proposal.second])
    if proposal.decision != MergeProposal.Decision.OPEN:
        raise Conflict(_("This proposal was decided already."), hint=_("Load the page again."))
    if accept:
        kept = keep if keep is not None and keep.pk == proposal.second_id else proposal.first
        return merge(actor, kept, proposal.second if kept.pk == proposal.first_id else proposal.first, reason=reason)
    proposal.decision = MergeProposal.Decision.REFUSED
    proposal.decided_at = now()
    proposal.save(update_fields=["decision", "decided_at"])
    record(
        actor, "inventory.refuse_merge", proposal.first, f"{proposal.second.name} ({proposal.second_id})", reason=reason
    )
    return None
