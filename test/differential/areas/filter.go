package areas

import "fmt"

// Filters: what each operator, literal, function and path selects. The answer
// is the list of ids, so each line of a table is one request. It is sorted,
// since the order of a join is the query planner's.

func filters() []req {
	return flat(
		selecting("values", superuser, valueFilters),
		selecting("posts", superuser, pathFilters),
		selecting("posts", superuser, multiFilters),
		selecting("posts", superuser, macroFilters),
		selecting("posts", superuser, functionFilters),
		selecting("posts", superuser, brokenFilters),
		selecting("posts", guest, guestFilters),
		selecting("posts", owner, ownerFilters),
		selecting("comments", user, []string{"post.title = 'Alpha'", "post.author.name ~ 'a'", "by.id != ''", "by.name ~ 'U'", "post.comments_via_post.stars ?> 4"}),
		selecting("summary", guest, []string{"replies > 0", "shown = '2.5'", "scaled > 5", "flag = true", "author.name = 'Ada'", "meta.k = 'v'", "labels ?= 'a'", "labels:length = 1", "labels:each ~ 'a'", "title:lower = 'alpha'", "created > '2025'"}),
		selecting("users", superuser, []string{"email ~ 'example'", "verified = true", "name = 'Uwe User'", "emailVisibility = true", "password != ''", "tokenKey != ''", "email:lower = 'owner@example.com'"}),
		selecting("users", user, []string{"email ~ 'example'", "email = 'user@example.com'", "password != ''", "tokenKey != ''", "verified = true"}),
		joined(),
		[]req{
			{Name: "parentheses", As: superuser, Path: at("posts"), Query: q("filter", "(n > 1 && (live = true || kind = 'essay'))", "fields", "id")},
			{Name: "and binds tighter", As: superuser, Path: at("posts"), Query: q("filter", "kind = 'news' || kind = 'note' && n < 0", "fields", "id")},
			{Name: "filter twice in the query", As: superuser, Path: at("posts"), Query: q("filter", "n = 1", "filter", "n = 7", "fields", "id")},
		},
	)
}

func selecting(collection, as string, exprs []string) []req {
	var all []req
	for _, e := range exprs {
		all = append(all, req{Name: fmt.Sprintf("%s as %s: %q", collection, called(as), e), As: as, Path: at(collection),
			Query: q("filter", e, "fields", "id", "sort", "id")})
	}
	return all
}

// joined are filters that need an outer list: what the total counts.
func joined() []req {
	var all []req
	for _, e := range []string{"comments_via_post.stars ?> 0", "tags.title ?~ 'e'", "@collection.comments.post ?= id", ""} {
		all = append(all, req{Name: "totals: " + e, As: superuser, Path: at("posts"), Query: q("filter", e, "fields", "id", "sort", "id", "perPage", "2")})
	}
	return all
}

// valueFilters compare stored values of every type with literals of every
// type: the loose typing of the reference database is part of the API.
var valueFilters = []string{
	// numbers
	"n = 1", "n = 1.0", "n = '1'", "n = '1.0'", "n = 'abc'", "n = ''", "n = null", "n = true", "n = false", "n != 1", "n != ''", "n != null",
	"n > 1", "n >= 1.5", "n < 0", "n <= -1", "n > '1'", "n > '9'", "n < 'a'", "n > ''", "n ~ 1", "n ~ '1'", "n ~ '.'", "n !~ '1'", "n ~ '-'", "n = 0.1", "n = 0.0000001", "n = 1000000000000000", "n ~ '1000'",
	"n = -1", "n > -0.5", "n = 01", "n ?= 1", "n ?!= 1", "n ?> 1", "n ?~ '1'", "n = b", "n = t", "t = n", "n > t", "n = j", "j = n",
	// text
	"t = 1", "t = 1.0", "t = '1'", "t = \"1\"", "t = 10", "t > 1", "t > '1'", "t > '9'", "t < 'b'", "t = ''", "t != ''", "t = null", "t != null", "t = true", "t = 'true'", "t = 'abc'", "t = 'ABC'", "t ~ 'abc'", "t ~ 'B'", "t !~ 'b'",
	"t ~ ''", "t ~ '%'", "t ~ 'a%'", "t ~ '%c'", "t ~ '_'", "t ~ '\\%'", "t ~ 'a\\%b'", "t ~ 'b_c'", "t ~ null", "t ~ true", "t ~ 1", "t ~ 1.5", "t !~ ''", "t !~ null", "'abc' ~ t", "'xabcx' ~ t", "'1' = t", "1 = t", "1 = 1", "'a' = 'b'", "true = true", "null = null", "null = ''", "null != ''", "'' = null",
	"t:lower = 'abc'", "t:lower ~ 'ABC'", "t:lower != 'abc'", "'ABC' = t:lower", "t:length > 1", "t:each = 'a'", "t:isset = true", "t:changed = true",
	"t = 'a%b_c\\d'",
	// bools
	"b = true", "b = false", "b = TRUE", "b = True", "b = 1", "b = 0", "b = 'true'", "b = '1'", "b = ''", "b = null", "b != true", "b != false", "b > 0", "b ~ '1'",
	// dates
	"d = '2020-01-01 00:00:00.000Z'", "d = '2020-01-01'", "d > '2019'", "d >= '2020-01-01'", "d ~ '2020'", "d = ''", "d = null", "d != ''", "d > 0", "d < 'a'", "d < @now", "d > @yearStart",
	// json
	"j = 1", "j = '1'", "j = 'abc'", "j = '\"abc\"'", "j = null", "j != null", "j = ''", "j != ''", "j = true", "j = 'true'", "j = '[]'", "j = '{}'", "j ~ 'abc'", "j ~ 'deep'", "j ~ 'x'", "j !~ 'x'", "j > 0", "j.a = 1", "j.a = '1'", "j.a != 1", "j.a = null", "j.a != null", "j.a = ''", "j.b.c = 'deep'", "j.b.c ~ 'ee'", "j.b.c != 'deep'", "j.b = null", "j.b ~ 'deep'", "j.arr = '[1,2]'", "j.arr.0 = 1", "j.arr.1 > 1", "j.arr ~ 2", "j.0 = 'x'", "j.1 = null", "j.2 = 2", "j.arr:length = 2", "j:length = 2", "j:length = 0", "j:each = 1", "j:lower = 'abc'", "j.arr:each > 0", "j.missing.deeper = ''",
	// selects
	"s = 1", "s = '1'", "s = 'x'", "s = ''", "s:length = 1", "s:each = '1'", "ss = '1'", "ss ?= '1'", "ss ~ '1'", "ss = '[\"1\",\"2\"]'", "ss = ''", "ss = '[]'", "ss = null", "ss != ''", "ss:length = 2", "ss:length > 0", "ss:length = 0", "ss:each = '1'", "ss:each ?= '1'", "ss:each != 'x'", "ss:each ?!= 'x'", "ss:each ~ '1'", "ss:each ?~ '1'", "ss:each = ''", "ss:each != ''", "ss:lower = 'x'",
	// places and emails
	"g.lon = 1", "g.lat > 0", "g.lon = '1'", "g = ''", "g ~ 'lon'", "g.x = 1", "g.x = ''", "g.lon != 0", "e = 'a@b.co'", "e ~ 'b.co'", "e = ''",
	// ids
	"id = 'value0000000001'", "id ~ 'value'", "id ?= 'value0000000001'", "id != ''", "collectionId = 'x'", "collectionName = 'values'", "@rowid = 1",
	// numbers as the language writes them
	"n = .5", "n = 1.", "n = +1", "n = 1e3", "n = --1", "n=1", "n= 1", "n =1", "n>=1&&n<=10", "n = 1 && b = true || t = 'abc'",
}

// pathFilters follow relations forward and back.
var pathFilters = []string{
	"author = 'author000000001'", "author = ''", "author != ''", "author.id = 'author000000001'", "author.name = 'Ada'", "author.name != 'Ada'", "author.name = ''", "author.name = null", "author.name ~ 'A'", "author.rank > 1", "author.rank = 0", "author.user.name ~ 'Olga'", "author.user.email ~ 'owner'", "author.note = 'first'", "author.missing = 1", "author.user.missing = 1", "author.name.x = 1", "title.x = 1", "missing = 1", "missing.x = 1",
	"owner.name = 'Olga Owner'", "owner = '" + ownerID + "'", "owner.verified = true", "owner.password = ''", "sealed.title ~ 'nobody'", "sealed = ''", "internal = 'i1'", "internal != ''",
	"author.posts_via_author.title = 'beta'", "author.posts_via_author.title ?= 'beta'", "comments_via_post.text = 'second'", "comments_via_post.text ?= 'second'", "comments_via_post.id = ''", "comments_via_post.id != ''", "comments_via_post.by.name ?= 'Uwe User'", "comments_via_post.stars > 0", "comments_via_post.stars ?> 4", "comments_via_post.stars >= 0", "comments_via_post = ''", "comments_via_post.missing = 1", "missing_via_post.x = 1", "comments_via_missing.x = 1", "comments_via_text.x = 1", "owner.profiles_via_user.bio = 'owns'", "owner.profiles_via_user.bio ?= 'owns'", "owner.profiles_via_user.bio != 'owns'",
	"meta.a.b.0 = 1", "meta.a.b.1 = 'two'", "meta.k = 'v'", "meta.n = 5", "meta.n = '5'", "meta.s = 5", "meta.s = '5'", "meta.f = false", "meta.z = null", "meta.l.0.x = 1", "meta.l.1.x = 2", "meta.0 = 1", "meta.2 = 3", "meta ~ 'text'", "meta = 'text'", "meta = 12.5", "meta = true", "place.lon = 10.5", "place.lat < 51",
	"title = 'O\\'Reilly'", "title ~ 'reilly'", "title ~ 'ünï'", "title ~ 'Ünï'", "title = 'ünïcode ß'", "title:lower = 'ünïcode ß'", "title:lower = 'Ünïcode ß'", "title ~ '100%'", "title ~ '100\\%'", "title ~ 'under_'", "title ~ 'r_s'", "title = 123", "title = '123'", "title > 'Z'", "title > 'a'", "title ~ 'Alpha' && n = 1", "title ~ ' '",
	"day > '2022-01-01'", "day >= '2022-01-01 10:00:00.000Z'", "day >= '2022-01-01 10:00:00'", "day < '2022-06-15 00:00:00.000Z'", "day = '2023-03-03 03:03:03.003Z'", "day ~ '2022'", "day = ''", "kind = ''", "kind != 'news'", "kind ?= 'news'", "live = true && kind = 'news'", "contact ~ '@example'", "link ~ 'example.com'", "body ~ '<b>'", "created > '2025-01-01'", "created > @yesterday && updated < @tomorrow", "n > 1 // a comment", "// only\nn = 1", "n = 1\n&&\tlive = true", "n = 1\r\n&& live = true",
}

// multiFilters are plain and any-match operators over several values.
var multiFilters = []string{
	"tags = 'tag000000000001'", "tags ?= 'tag000000000001'", "tags != 'tag000000000001'", "tags ?!= 'tag000000000001'", "tags ~ 'tag000000000001'", "tags = ''", "tags != ''", "tags:length = 1", "tags:length > 1", "tags:length = 0", "tags:each = 'tag000000000001'", "tags:each ?= 'tag000000000001'", "tags:each != 'tag000000000003'",
	"tags.id = 'tag000000000001'", "tags.id ?= 'tag000000000001'", "tags.title = 'red'", "tags.title ?= 'red'", "tags.title != 'red'", "tags.title ?!= 'red'", "tags.title ~ 'e'", "tags.title ?~ 'l'", "tags.title !~ 'e'", "tags.title ?!~ 'e'", "tags.weight > 1", "tags.weight ?> 1", "tags.weight >= 1", "tags.weight < 3", "tags.weight ?< 2", "tags.weight = 0", "tags.title = ''", "tags.title != ''", "tags.title:lower = 'red'", "tags.title = tags.title", "tags.title ?= tags.title", "tags.weight = tags.weight", "tags.weight ?< comments_via_post.stars", "tags.weight < comments_via_post.stars", "n > tags.weight", "n ?> tags.weight", "tags.weight < n",
	"labels = 'a'", "labels ?= 'a'", "labels ~ 'a'", "labels:each = 'a'", "labels:each ?= 'a'", "labels:each != 'a'", "labels:each ?!= 'a'", "labels:each ~ 'a'", "labels:each > 'a'", "labels:each ?> 'c'", "labels:each < 'c'", "labels:length = 4", "labels:length >= 2", "labels != ''", "labels:each = labels:each", "author.langs = 'fr'", "author.langs ?= 'en'", "author.langs:each ?= 'en'", "author.langs:each = 'fr'", "author.langs:each != 'fr'", "author.langs:length = 2", "author.langs:length = 0",
	"@collection.tags.title = 'red'", "@collection.tags.title ?= 'red'", "@collection.tags.weight > 0", "@collection.tags.weight ?> 2", "@collection.comments.post ?= id", "@collection.comments.post = id", "@collection.comments.post ?= id && @collection.comments.stars ?= 5", "@collection.comments:one.post ?= id && @collection.comments:two.stars ?= 0", "@collection.missing.x = 1", "@collection.tags.missing = 1", "@collection.tags = 1", "@collection.users.name ?= 'Uwe User'",
	"@request.auth.id = ''", "@request.auth.id != ''", "@request.method = 'GET'", "@request.query.filter != ''", "@request.query.page = ''", "@request.headers.user_agent = 'differential'", "@request.body.x = ''", "@request.body.x:isset = false", "@request.context = 'default'", "@request.missing = 1", "@request.auth.missing = 1", "@request.auth.email ~ 'root'", "@request.auth.collectionName = '_superusers'", "@request.body.title:changed = false", "@request.query.filter:isset = true", "@request.query.nope:isset = true", "@request.headers.user_agent:isset = true", "@request.body.labels:length = 0", "@request.body.labels:each = 'a'", "@request.headers.missing = ''",
}

var macroFilters = []string{
	"day < @now", "day > @now", "day < @yesterday", "day < @tomorrow", "day < @todayStart", "day < @todayEnd", "day < @monthStart", "day < @monthEnd", "day < @yearStart", "day < @yearEnd",
	"created >= @todayStart && created <= @todayEnd", "created >= @monthStart && created <= @monthEnd", "created >= @yearStart && created <= @yearEnd", "n < @year", "@second >= 0", "@month > 0", "@day >= 1", "@hour >= 0", "@minute <= 59", "@weekday <= 6", "@year > 2000", "@now > @yesterday", "@missing = 1", "n = @now.x", "title ~ @year",
}

var functionFilters = []string{
	"geoDistance(place.lon, place.lat, 10.5, 50.25) < 1", "geoDistance(place.lon, place.lat, 10.5, 50.25) > 1000", "geoDistance(0, 0, 0, 1) > 111", "geoDistance(0, 0, 0, 1) < 111.2", "geoDistance(place.lon, place.lat, 0, 0) = 0", "geoDistance(n, n, 1, 1) < 500", "geoDistance(1, 2, 3) < 1", "geoDistance(1, 2, 3, 4, 5) < 1", "geoDistance('1', 2, 3, 4) < 1", "geoDistance(title, 2, 3, 4) < 1", "geodistance(1, 2, 3, 4) < 1", "geoDistance(author.rank, 0, 0, 0) > 0", "geoDistance(tags.weight, 0, 0, 0) > 0", "geoDistance(tags.weight, 0, 0, 0) ?> 200", "geoDistance() > 1", "geoDistance(null, 0, 0, 0) = null", "geoDistance(200, 0, 0, 0) > 1", "geoDistance(missing, 0, 0, 0) > 1",
	"strftime('%Y', day) = '2022'", "strftime('%Y', day) = 2022", "strftime('%Y-%m', day) = '2022-06'", "strftime('%Y', day, '+1 year') = '2023'", "strftime('%Y', day, '+1 year', '-1 year') = '2022'", "strftime('%Y', 'now') = @year", "strftime('%Y') != ''", "strftime() = ''", "strftime('%H:%M', '2020-01-01 10:20:30Z') = '10:20'", "strftime('%Y', title) = ''", "strftime('%Y', day) = ''", "strftime(day) = ''", "strftime('%Y', n) = ''", "strftime('%Y', created) = @year", "strftime('%d', comments_via_post.id) = ''", "strftime('%s', day) > 1600000000", "strftime('%w', day) ?= '6'", "strftime('bad%', day) = ''", "missing(1) = 1", "strftime('%Y', strftime('%Y-%m-%d', day)) = '2022'", "geoDistance(geoDistance(0,0,0,1), 0, 0, 0) > 1", "strftime('%Y', day, 1) = '2022'", "strftime('%Y', null) = ''", "strftime(1, day) = ''",
}

// brokenFilters do not parse or do not resolve.
var brokenFilters = []string{
	"n", "n =", "= 1", "n = = 1", "n == 1", "n <> 1", "n = 1 &&", "&& n = 1", "n = 1 and n = 2", "(n = 1", "n = 1)", "()", "(())", "n = 'a", "n = \"a", "n = 'a\"", "n = 1 || || n = 2", "n & 1", "n = 1;", "n = 1 -- x", "n = 1 /* x */", "// only a comment", " ", "n = @", "n = #", "n. = 1", ".n = 1", "n: = 1", "n:unknown = 1", "title:lower:lower = 'a'", "n ?? 1", "n ?=", "!n", "n = !1", "n in (1)", "1 + 1 = 2", "n = (1)", "`n` = 1", "[[n]] = 1", "{{n}} = 1", "n = 1 && (n = 2 || (n = 3 && (n = 4)))", "(((n = 1)))", "n = 1 && (n = 2", "n = тест", "тест = 1", "n = 9999999999999999999999", "n = -", "@request = 1", "@collection = 1", "@request.auth = 1", "@collection.posts = 1", "comments_via_post", "id = id", "posts.title = 'Alpha'", "n = null null", "@random = 1", "\u00a0n = 1", "n = \x00", "title = 'a\nb'", "title = 'a\\nb'", "title = ''''", "_via_ = 1", "a_via_b = 1",
}

// guestFilters are what somebody who may not see everything tries.
var guestFilters = []string{
	"n = 1", "internal = 'i1'", "internal != ''", "author.note = 'first'", "author.name = 'Ada'", "author.user.name ~ 'Olga'", "author.user.email ~ 'owner'", "owner.name ~ 'Uwe'", "owner.email ~ 'user'", "owner.password ~ 'x'", "owner.tokenKey ~ 'x'", "sealed.title ~ 'nobody'", "sealed = 'closed000000001'", "comments_via_post.text ~ 'first'", "comments_via_post.text ?~ 'draft'", "comments_via_post.id != ''", "@collection.tags.title ?= 'red'", "@request.auth.id = ''", "@request.query.x = ''", "tags.title ?= 'red'", "author.posts_via_author.title ?= 'beta'", "author.posts_via_author.internal ?= 'i1'", "owner.profiles_via_user.bio ?= 'owns'", "(@request.auth.id = '')", "geoDistance(author.rank, 0, 0, 0) > 0", "missing = 1", "n = @now", "title = '@request.auth.id'", "title = '@collection.tags'",
}

var ownerFilters = []string{
	"internal = 'i1'", "owner = '" + ownerID + "'", "owner.name ~ 'Olga'", "owner.email ~ 'owner'", "owner.name ~ 'Uwe'", "owner.email ~ 'user@'", "sealed.title ~ 'nobody'", "comments_via_post.text ?~ 'second'", "comments_via_post.text ?~ 'first'", "comments_via_post.text ?~ 'draft'", "comments_via_post.stars ?> 3", "comments_via_post.stars > 0", "@request.auth.id = owner", "@collection.users.id ?= owner", "author.user.verified = true", "author.note != ''",
}
