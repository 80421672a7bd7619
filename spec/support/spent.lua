-- Returns the table that client:spent() returns if all other numbers are 0.
return function(numbers)
  local all = { evaluations = 0, evaluations_unknown = 0, calls = 0, calls_unknown = 0,
    uncounted = 0, in_flight = 0 }
  for name, number in pairs(numbers) do all[name] = number end
  return all
end
