-- Raises an error unless two values are equal.
return function(expected, got)
  if got == expected then return end
  error(("expected %q, got %q"):format(expected, tostring(got):sub(1, 60)), 2)
end
