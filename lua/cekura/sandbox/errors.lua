--- The statuses and the bodies of refusals, worded as in the Django REST framework.

local json = require "cekura.sandbox.json"

local array = json.array

local errors = {}

function errors.not_found(what)
  return 404, { detail = ("No %s matches the given query."):format(what) }
end

function errors.bad(field, text, ...)
  return 400, { [field] = array { text:format(...) } }
end

function errors.unknown_id(field, id)
  return errors.bad(field, 'Invalid pk "%s" - object does not exist.', tostring(id))
end

return errors
