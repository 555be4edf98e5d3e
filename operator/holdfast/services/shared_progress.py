"""How far several pods together are with one backup."""

from collections.abc import Collection

from holdfast.domain.phases import CollectionPhase
from holdfast.ports import Advance, CollectionAdvance, Progress
from holdfast.repository.shared_plan import SharedPlan
from holdfast.services.plan_together import Layout
from holdfast.services.read_segment import Segment, Step


class SharedProgress:
    """What is there already, by the plan's estimates, and what this pod is reading."""

    def __init__(self, progress: Progress | None, plan: SharedPlan, layout: Layout) -> None:
        """``progress``: None for a pod that says nothing, since another one speaks for all."""
        self._progress, self._plan, self._layout = progress, plan, layout
        self._reading = plan.collections[0].record.name
        self._documents, self._bytes = sum(layout.documents), sum(layout.bytes)
        self._steps: dict[int, Step] = {}
        self._done: set[int] = set()
        """Segments."""

    def stands(self, portions: Collection[int]) -> None:
        """These portions are there."""
        self._done = {number for portion in portions for number in self._layout.portions[portion]}
        self._tell()

    def advanced(self, segment: Segment, step: Step) -> None:
        self._steps[segment.number] = step
        self._reading = segment.collection.name
        self._tell()

    def _tell(self) -> None:
        if self._progress is None:
            return
        own = [step for number, step in self._steps.items() if number not in self._done]
        self._progress.advance(
            Advance(
                collection=self._reading,
                documents=sum(self._layout.documents[n] for n in self._done) + sum(s.documents for s in own),
                logical_bytes=sum(self._layout.bytes[n] for n in self._done) + sum(s.logical_bytes for s in own),
                new_bytes=sum(step.new_bytes for step in self._steps.values()),
                total_documents=self._documents,
                total_bytes=self._bytes,
                collections=self._collections,
            )
        )

    def _collections(self) -> list[CollectionAdvance]:
        """None has succeeded before all is put together: another pod may have met an error in its part."""
        read: dict[int, tuple[int, int]] = {}
        for number, collection in enumerate(self._layout.collections):
            step = self._steps.get(number)
            if number in self._done:
                found = self._layout.documents[number], self._layout.bytes[number]
            elif step:
                found = step.documents, step.logical_bytes
            else:
                continue
            documents, size = read.get(collection, (0, 0))
            read[collection] = documents + found[0], size + found[1]
        told = []
        for number, planned in enumerate(self._plan.collections):
            name, error = planned.record.name, planned.record.error
            if error:
                told.append(CollectionAdvance(name, CollectionPhase.FAILED, error=error))
            elif number in read:
                told.append(CollectionAdvance(name, CollectionPhase.RUNNING, *read[number]))
            else:
                told.append(CollectionAdvance(name, CollectionPhase.PENDING))
        return told
