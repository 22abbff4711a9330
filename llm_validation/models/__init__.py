"""Models: presets made from a configuration, their tokenizers, supervised warm-up, and float64 copies."""
