-- The freezes of one meter in the order of their nights: a new one is judged by those of a month.
-- Of freezes alone: values of the moment are many, and found by their own key.

CREATE INDEX log_freezes ON log (meter, data_class, slot)
WHERE data_class IN ('daily_freeze', 'monthly_freeze');
