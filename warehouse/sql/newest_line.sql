-- The number after which this batch's lines are numbered.
SELECT coalesce(max(line_id), 0) FROM published_lines
