package areas

import "fmt"

// Lists: pages, totals, order, and what the query may hold.

func lists() []req {
	var many []row
	for i := 1; i <= 45; i++ {
		many = append(many, row{"id": id("many", i), "n": i % 7, "t": fmt.Sprintf("row %02d", i)})
	}
	return flat(
		[]req{collection(with(rules(""), row{"name": "many", "fields": []row{field("number", "n"), field("text", "t")}}))},
		records("many", many...),
		querying("many", guest, pages),
		querying("many", guest, orders),
		querying("posts", guest, postOrders),
		querying("posts", superuser, []string{"sort=internal", "sort=-author.note,id", "sort=sealed.title,id", "sort=@rowid", "sort=owner.email,id"}),
		querying("users", guest, []string{"", "sort=email", "filter=verified=true", "sort=password", "sort=tokenKey"}),
		querying("users", user, []string{"", "sort=email", "perPage=1", "expand=none"}),
		querying("users", superuser, []string{"", "sort=-created", "sort=email", "fields=email,verified", "sort=password&fields=verified2", "sort=tokenKey,id&fields=collectionName"}),
		querying("_superusers", guest, []string{""}),
		querying("_superusers", owner, []string{""}),
		querying("_superusers", superuser, []string{"", "fields=email"}),
		querying("_externalAuths", owner, []string{""}),
		querying("_mfas", guest, []string{""}),
		querying("_otps", owner, []string{""}),
		querying("_authOrigins", guest, []string{"", "fields=collectionRef,recordRef"}),
		querying("summary", guest, []string{"sort=id", "sort=-replies,id", "sort=scaled", "page=2&perPage=3&sort=id", "fields=id,replies,shown,scaled,flag&sort=id", "expand=author&perPage=1&sort=id", "sort=shown,id&fields=shown"}),
		[]req{
			{Name: "view a view's record", Path: at("summary", id("post", 5))},
			{Name: "view a view's record outside its rule", Path: at("summary", id("post", 1))},
			{Name: "view a view's record outside its rule as superuser", As: superuser, Path: at("summary", id("post", 1))},
			{Name: "create in a view", As: superuser, Path: at("summary"), Body: `{}`},
			{Name: "create in a view as guest", Path: at("summary"), Body: `{}`},
			{Name: "update in a view", As: superuser, Method: "PATCH", Path: at("summary", id("post", 1)), Body: `{}`},
			{Name: "delete in a view", As: superuser, Method: "DELETE", Path: at("summary", id("post", 1))},
			{Name: "collection by id", Path: "/api/collections/{{many}}/records", Query: q("perPage", "1")},
			{Name: "collection in another case", Path: at("MANY"), Query: q("perPage", "1")},
			{Name: "head", Method: "HEAD", Path: at("many")},
		},
	)
}

// querying lists a collection with each of the raw query strings.
func querying(collection, as string, queries []string) []req {
	var all []req
	for _, raw := range queries {
		all = append(all, req{Name: fmt.Sprintf("%s as %s: %s", collection, called(as), raw), As: as, Path: at(collection) + mark(raw)})
	}
	return all
}

func mark(raw string) string {
	if raw == "" {
		return ""
	}
	return "?" + raw
}

var pages = []string{
	"", "page=2", "page=3&perPage=20", "page=0", "page=-1", "page=4", "page=999999", "page=1.5", "page=a", "page=", "page=%201", "page=1&page=2", "page=99999999999999999999",
	"perPage=1", "perPage=0", "perPage=-5", "perPage=1000", "perPage=1001", "perPage=100000", "perPage=a", "perPage=", "perPage=2.5", "perPage=45", "perPage=44&fields=id",
	"skipTotal=1", "skipTotal=true", "skipTotal=TRUE", "skipTotal=t", "skipTotal=0", "skipTotal=false", "skipTotal=F", "skipTotal=", "skipTotal=yes", "skipTotal=2", "skipTotal=1&page=99",
	"perPage=2&fields=id", "perPage=2&fields=n,t", "perPage=2&fields=page", "perPage=2&fields=items.id", "perPage=2&fields=*", "perPage=2&fields=", "perPage=2&fields=nope", "perPage=2&fields=,id,", "perPage=2&fields=id,id", "perPage=1&unknown=1", "PerPage=1", "perpage=1",
	"filter=", "filter=%20", "filter=n=3&perPage=3", "filter=n%20=%203&skipTotal=1", "filter=n+=+3&perPage=2", "filter=(n=1)", "filter=n=1%26%26t~'row'", "filter=t~'row'&sort=-t&perPage=2", "perPage=3&sort=", "perPage=3;page=2", "perPage=3&filter=n%3E3%", "filter=%ff=1",
}

var orders = []string{
	"sort=t&perPage=3", "sort=-t&perPage=3", "sort=%2Bt&perPage=3", "sort=+t&perPage=3", "sort=n,t&perPage=3", "sort=n,-t&perPage=3", "sort=-n,t&perPage=3", "sort=-n%20,%20t&perPage=3", "sort=n&perPage=12", "sort=@rowid&perPage=2", "sort=-@rowid&perPage=2", "sort=missing", "sort=n,missing", "sort=-", "sort=,", "sort=t,&perPage=2", "sort=t,t,t,t,t,t,t,t&perPage=1", "sort=t,t,t,t,t,t,t,t,t&perPage=1", "sort=id&perPage=2", "sort=-id&perPage=2", "sort=collectionId", "sort=@now", "sort=@request.auth.id", "sort=@collection.posts.id", "sort=n asc", "sort=t:lower&perPage=2", "sort=--t", "sort=rowid", "sort=_rowid_", "sort=1", "sort='t'", "sort=@random&perPage=0&fields=collectionName",
}

var postOrders = []string{
	"sort=title&fields=title", "sort=-title&fields=title", "sort=n&fields=n", "sort=-n&fields=n", "sort=day,id&fields=day", "sort=live,id&fields=live", "sort=kind,id&fields=kind", "sort=labels,id&fields=labels", "sort=meta,id&fields=meta", "sort=meta.n,id&fields=id", "sort=place,id&fields=id", "sort=place.lon,id&fields=id", "sort=author,id&fields=author", "sort=author.name,id&fields=id", "sort=-author.name,id&fields=id", "sort=author.rank,-n&fields=id", "sort=author.user.name,id&fields=id", "sort=tags.title,id&fields=id", "sort=tags,id&fields=tags", "sort=labels:length,id&fields=id", "sort=tags:length,id&fields=id", "sort=comments_via_post.stars,id&fields=id", "sort=-comments_via_post.stars,id&fields=id", "sort=internal", "sort=author.note", "sort=sealed.title", "sort=title:lower&fields=title", "sort=-created,id&fields=kind2", "sort=author.missing", "sort=title.x", "sort=owner.email,id&fields=id", "sort=labels:each,id&fields=id", "",
}
