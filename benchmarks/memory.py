"""*memory*: what each process holds at its start, after one long list, and after many."""

from __future__ import annotations

from benchmarks import pipeline, systems
from benchmarks.figures import Figure
from benchmarks.platform import Platform, resident_megabytes


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Lists through the product, one after the other."""
    size, lists = (3_000, 2) if quick else (30_000, 2 * repetitions)
    async with systems.product(platform) as product:
        held = {name: [resident_megabytes(pid)] for name, pid in product.pids.items()}
        for number in range(lists):
            await pipeline.once(platform, product, size, f"memory-{number}")
            for name, pid in product.pids.items():
                held[name].append(resident_megabytes(pid))
    note = f"resident, after {lists} lists of {size:,} referrals"
    return [
        Figure(
            f"memory, {name}",
            "MB",
            {"project": [most[-1]], "at start": [most[0]], "after one list": [most[1]]},
            note,
        )
        for name, most in held.items()
    ]
