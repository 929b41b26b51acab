package workload

import (
	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
)

// memoryLimit is that of the workload memory-limit, in bytes.
const memoryLimit = 256 << 20

// The loaded data: what most workloads use, what has ten times the records,
// and what has an owner rule and ten times the users.
var (
	plain = dataset.Spec{Records: 10_000, Users: 100}
	big   = dataset.Spec{Records: 100_000, Users: 100}
	owned = dataset.Spec{Records: 10_000, Users: 1000, Owned: true}
)

var (
	ok       = func(name string) load.Kind { return load.Kind{Name: name, Status: 200} }
	views    = []load.Kind{ok("view")}
	lists    = []load.Kind{ok("list")}
	creates  = []load.Kind{ok("create")}
	updates  = []load.Kind{ok("update")}
	mixed    = []load.Kind{ok("view"), ok("update")}
	combined = []load.Kind{ok("create"), ok("list")}
	logins   = []load.Kind{ok("login")}

	readsMixed = []load.Kind{ok("view"), ok("list")}
)

// All is every workload, in the order of the report.
var All = []Workload{
	{Name: "view", Title: "view one record, ids over all records", Spec: plain, Bare: true, Kinds: views, Script: view},
	{Name: "list-newest", Title: "list 30 newest with totals, over 50 pages", Spec: plain, Bare: true, Kinds: lists, Script: listNewest},
	{Name: "list-filter", Title: "list 30 newest matches with totals, over 50 filters", Spec: plain, Bare: true, Kinds: lists, Script: listFilter},
	{Name: "list-owner", Title: "list with an owner rule, over 1,000 users", Spec: owned, Bare: true, Kinds: lists, Script: listOwned},
	{Name: "write-list-newest", Title: "create, then list 30 newest with totals", Spec: plain, Conns: 1, Kinds: combined, Script: writeThenList(false)},
	{Name: "write-list-filter", Title: "create, then list 30 newest matches with totals", Spec: plain, Conns: 1, Kinds: combined, Script: writeThenList(true)},
	{Name: "create-and-list", Title: "create and list 30 newest with totals, half and half", Spec: plain, Kinds: combined, Script: createAndList},
	{Name: "create", Title: "create", Spec: plain, Kinds: creates, Script: create},
	{Name: "create-1", Title: "create, one connection", Spec: plain, Conns: 1, Kinds: creates, Script: create},
	{Name: "update", Title: "update, ids over all records", Spec: plain, Kinds: updates, Script: update},
	{Name: "mix", Title: "95% view, 5% update, Zipf keys (s = 0.99)", Spec: plain, Kinds: mixed, Script: mix},
	{Name: "login", Title: "log in by password, 100 users", Spec: plain, Kinds: logins, Script: login},
	{Name: "auth-refresh", Title: "refresh a token, 100 users", Spec: plain, Login: true, Bare: true, Kinds: []load.Kind{ok("refresh")}, Script: refresh},

	{Name: "view-rate", Title: "view at a fixed rate", Spec: plain, Rate: 2000, Bare: true, Compare: report.P99, Kinds: views, Script: view},
	{Name: "mix-rate", Title: "95% view, 5% update, Zipf keys, at a fixed rate", Spec: plain, Rate: 1000, Compare: report.P99, Kinds: mixed, Script: mix},
	{Name: "realtime", Title: "creates delivered to 100 subscribers, 20 a second", Spec: plain, Conns: subscribers, Rate: realtimeRate, Compare: report.CPU, Measure: fanOut},

	{Name: "big-view", Title: "view, 100,000 records", Spec: big, Bare: true, Kinds: views, Script: view},
	{Name: "big-list-newest", Title: "list 30 newest with totals, over 50 pages, 100,000 records", Spec: big, Conns: 4, MaxRounds: 3, Kinds: lists, Script: listNewest},
	{Name: "big-list-filter", Title: "list 30 newest matches with totals, over 50 filters, 100,000 records", Spec: big, Conns: 4, MaxRounds: 3, Kinds: lists, Script: listFilter},
	{Name: "big-create", Title: "create, 100,000 records", Spec: big, Kinds: creates, Script: create},
	{Name: "big-update", Title: "update, 100,000 records", Spec: big, Kinds: updates, Script: update},
	{Name: "big-mix", Title: "95% view, 5% update, Zipf keys, 100,000 records", Spec: big, Kinds: mixed, Script: mix},

	{Name: "scale-view", Title: "view on one processor and on two", Spec: plain, Kinds: views, Script: view, contenders: onProcessors},
	{Name: "scale-create", Title: "create on one processor and on two", Spec: plain, Kinds: creates, Script: create, contenders: onProcessors},
	{Name: "memory-limit", Title: "95/5 mix on 100,000 records within 256 MB", Spec: big, Kinds: mixed, Script: mix, contenders: limited, Measure: withPeak},
	{Name: "login-storm", Title: "view at a fixed rate while 200 log in at once", Spec: plain, Conns: 8, Rate: stormRate, Compare: report.P99, Kinds: views, Script: view, Measure: loginStorm, MaxRounds: 3},
	{Name: "startup", Title: "start on an empty directory; idle memory", Compare: report.StartTime, Alone: startUp},

	{Name: "pg-view", Title: "PostgreSQL: view one record, no cache, no token", Spec: plain, Postgres: true, Guests: true, Against: report.PGX, Kinds: views, Script: view, contenders: overPostgres},
	{Name: "pg-create", Title: "PostgreSQL: create, no token", Spec: plain, Postgres: true, Guests: true, Against: report.PGX, Kinds: creates, Script: create, contenders: overPostgres},
	{Name: "pg-view-token", Title: "PostgreSQL: view one record, by 100 users", Spec: plain, Postgres: true, Kinds: views, Script: view, contenders: besidePostgres},
	{Name: "pg-list-newest", Title: "PostgreSQL: list 30 newest with totals, over 50 pages", Spec: plain, Postgres: true, Kinds: lists, Script: listNewest, contenders: besidePostgres},
	{Name: "pg-list-filter", Title: "PostgreSQL: list 30 newest matches with totals, over 50 filters", Spec: plain, Postgres: true, Kinds: lists, Script: listFilter, contenders: besidePostgres},
	{Name: "pg-list-owner", Title: "PostgreSQL: list with an owner rule, over 1,000 users", Spec: owned, Postgres: true, Kinds: lists, Script: listOwned, contenders: besidePostgres},
	{Name: "pg-update", Title: "PostgreSQL: update, ids over all records", Spec: plain, Postgres: true, Kinds: updates, Script: update, contenders: besidePostgres},
	{Name: "pg-trips", Title: "PostgreSQL: round trips to the database, one connection, no token", Spec: plain, Postgres: true, Guests: true, Alone: trips, contenders: replicated, MaxRounds: 1},
	{Name: "pg-replicas", Title: "PostgreSQL with two replicas: views and lists, nothing written", Spec: plain, Postgres: true, Guests: true, Alone: spread, contenders: replicated, MaxRounds: 3},
	{Name: "pg-late", Title: "PostgreSQL with two replicas, 5 s late; 1% of keys written a second", Spec: plain, Postgres: true, Guests: true, Alone: late, contenders: replicated, MaxRounds: 1},
	{Name: "pg-frozen", Title: "PostgreSQL with two replicas: each host in turn is frozen for 3 s", Spec: plain, Postgres: true, Guests: true, Rate: 500, Alone: frozen, contenders: replicated, MaxRounds: 1},

	{Name: "large-view", Title: "view, ids over all records", Large: true, Kinds: views, Script: view, contenders: smallAndLargeReads},
	{Name: "large-filter", Title: "list with an indexed filter that 30 records match", Large: true, Kinds: lists, Script: listLot, contenders: smallAndLargeReads},
	{Name: "large-login", Title: "log in by password, 100 users", Large: true, Kinds: logins, Script: login, contenders: smallAndLarge},
}
