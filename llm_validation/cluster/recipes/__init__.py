"""The paper's rows as verl configurations, where each setting comes from, and the files that a run starts from."""
