"""Full-scale runs with verl on a cluster: configurations, cost, checks, launch, and what comes back."""
