-- Freezes in the order in which they were kept: billing follows them by their place in the log. Of freezes alone:
-- values of the moment are a hundred times as many.

CREATE INDEX log_freezes_kept ON log (data_class, id)
WHERE data_class IN ('daily_freeze', 'monthly_freeze');
