"""Define what a check is and what it says: findings, severities, error rates, and intervals of shares."""
