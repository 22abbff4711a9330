"""What runs inside verl: plug-in, advantages, scores, a trainer with a probe; and the reader of verl's settings."""
