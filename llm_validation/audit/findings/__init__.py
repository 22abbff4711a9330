"""What a check is and what it says: findings, their severities and error rates, and intervals of shares."""
