package areas

import "fmt"

// Expand and fields: which related records come along and which keys stay.

func expands() []req {
	var all []req
	for _, as := range []string{guest, owner, superuser} {
		for _, e := range []string{
			"author", "tags", "author,tags", "author.user", "author.user.profiles_via_user", "owner", "sealed", "missing", "title", "author,missing", "author.missing", "comments_via_post", "comments_via_post.by", "comments_via_post(by)", "comments(post)", "comments(post).by", "missing_via_post", "comments_via_missing", "comments_via_text", "tags.posts_via_tags.author", "author.posts_via_author.comments_via_post", "", ",", " author , tags ", "author.user,author", "AUTHOR", "author.", ".author", "owner.profiles_via_user",
		} {
			all = append(all, req{Name: fmt.Sprintf("%q as %s", e, called(as)), As: as, Path: at("posts", id("post", 1)), Query: q("expand", e)})
		}
	}
	one := at("posts", id("post", 1))
	return flat(all, []req{
		{Name: "empty relations", Path: at("posts", id("post", 4)), Query: q("expand", "author,tags,comments_via_post")},
		{Name: "list", Path: at("posts"), Query: q("expand", "author,tags", "fields", "id,expand.author.name,expand.tags.title")},
		{Name: "list with back relations", Path: at("posts"), Query: q("expand", "comments_via_post.by")},
		{Name: "unique back relation", As: owner, Path: at("users", ownerID), Query: q("expand", "profiles_via_user,posts_via_owner,authors_via_user")},
		{Name: "back relations of nobody", As: superuser, Path: at("users", thirdID), Query: q("expand", "profiles_via_user,posts_via_owner")},
		{Name: "depth six", Path: one, Query: q("expand", "author.posts_via_author.author.posts_via_author.author.posts_via_author", "fields", "expand.author.expand.posts_via_author.expand.author.expand.posts_via_author.expand.author.expand.posts_via_author.id")},
		{Name: "depth seven", Path: one, Query: q("expand", "author.posts_via_author.author.posts_via_author.author.posts_via_author.author", "fields", "id,expand.author.id,expand.author.expand.posts_via_author.expand.author.expand.posts_via_author.expand.author.expand.posts_via_author.expand.author.id")},
		{Name: "create with expand", Path: at("comments"), Query: q("expand", "post.author", "fields", "text,expand"), Body: `{"id":"comment00000099","post":"post00000000004","text":"x"}`},
		{Name: "update with expand", Method: "PATCH", Path: at("comments", id("comment", 99)), Query: q("expand", "post", "fields", "text,expand.post.title"), Body: `{"text":"y"}`},
		{Name: "delete it again", Method: "DELETE", Path: at("comments", id("comment", 99)), Query: q("expand", "post")},
		{Name: "expand twice", Path: one, Query: q("expand", "author", "expand", "tags")},
	})
}

func fieldPicks() []req {
	var all []req
	one := at("posts", id("post", 1))
	for _, f := range []string{
		"id", "id,title", "*", "title,*", "nope", "nope,id", "", ",", " id , title ", "meta", "meta.a", "meta.a.b", "meta.a.b.0", "meta.k", "meta.*", "place.lon", "place", "tags", "labels", "expand", "expand.author", "expand.author.name", "expand.author.*", "expand.*.name", "expand.*", "expand.tags.title", "expand.author.expand", "expand.author.expand.user.name", "*,expand.author.name", "id,expand.tags.title,expand.tags.weight", "body:excerpt(5)", "body:excerpt(5,true)", "body:excerpt(5, true)", "body:excerpt(5,false)", "body:excerpt(100,true)", "body:excerpt(5,1)", "body:excerpt(5,maybe)", "n:excerpt(5)", "title:excerpt(2)", "title:excerpt(2,true)", "expand.author.name:excerpt(2,true)", "*,body:excerpt(3)", "title:excerpt(3),id", "meta.a.b.*", "collectionId,collectionName", "internal", "ID", "id.x", "title.", ".title",
	} {
		all = append(all, req{Name: fmt.Sprintf("one %q", f), Path: one, Query: q("fields", f, "expand", "author.user,tags")})
	}
	for _, f := range []string{"id", "items.id", "page", "totalItems,id", "*", "expand.author.name", "body:excerpt(3,true)", "nope", "meta.k,id"} {
		all = append(all, req{Name: fmt.Sprintf("list %q", f), Path: at("posts"), Query: q("fields", f, "expand", "author", "perPage", "3")})
	}
	return flat(all, []req{
		{Name: "on an error", Path: at("posts", "nothing"), Query: q("fields", "message")},
		{Name: "on health", Path: "/api/health", Query: q("fields", "code")},
		{Name: "on settings", As: superuser, Path: "/api/settings", Query: q("fields", "meta.appName,batch")},
		{Name: "on collections", As: superuser, Path: "/api/collections", Query: q("fields", "name,fields.name", "perPage", "2")},
		{Name: "on scaffolds", As: superuser, Path: "/api/collections/meta/scaffolds", Query: q("fields", "base.type,view.type")},
		{Name: "on auth methods", Path: "/api/collections/users/auth-methods", Query: q("fields", "password")},
		{Name: "on create", Path: at("tags"), Query: q("fields", "title"), Body: `{"id":"tag000000000099","title":"picked"}`},
		{Name: "on delete", Method: "DELETE", Path: at("tags", id("tag", 99)), Query: q("fields", "title")},
		{Name: "excerpt of html", Path: one, Query: q("fields", "body:excerpt(11,true)")},
	})
}
