-- A server gets requests once it has passed a check.
--
-- HAProxy 3.0 takes a server that the DNS has just named for healthy until its first check says
-- otherwise, and Docker names a container before it answers. (3.1 has `init-state down` for this.)
-- So a server without an address is set to drain, which keeps requests away but not checks, and is
-- set to ready when a check has passed. Needs `fall` of 2 or more: on getting an address a server's
-- health is `rise`, and only a passed check lifts it above.

local pause_milliseconds = 100

local function admit(server)
  local stats = server:get_stats()
  if stats.status:find("^MAINT") then
    server:set_drain()
  elseif stats.status:find("^DRAIN") and stats.check_health > stats.check_rise then
    server:set_ready()
  end
end

core.register_task(function()
  while true do
    for _, server in pairs(core.backends.backends.servers) do
      admit(server)
    end
    core.msleep(pause_milliseconds)
  end
end)
