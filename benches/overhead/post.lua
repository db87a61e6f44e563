-- wrk's POST script. BODIES: files with the JSON bodies, one a line; they take turns. HEADERS: "K: V" lines.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
for line in (os.getenv("HEADERS") or ""):gmatch("[^\n]+") do
  local name, value = line:match("^([^:]+):%s*(.*)$")
  if name then wrk.headers[name] = value end
end

local bodies = {}
for path in (os.getenv("BODIES") or ""):gmatch("[^\n]+") do
  local file = io.open(path, "rb")
  bodies[#bodies + 1] = file:read("*a")
  file:close()
end
wrk.body = bodies[1]

if #bodies > 1 then
  local requests, turn = {}, 0
  function init()
    for i, body in ipairs(bodies) do requests[i] = wrk.format(nil, nil, nil, body) end
  end
  function request()
    turn = turn % #requests + 1
    return requests[turn]
  end
end
