"""Where events are kept: addresses, what an engine does for a journal, and what every engine's recorder has."""
