"""Questions about the past: any moment, what changed, who did it, why, and since when. Nothing here writes."""
