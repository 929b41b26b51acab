// What an app does with the unmodified JavaScript SDK, as a list of steps.
// This file runs as it is in Node (node.mjs) and in a browser (page.html), so
// it uses only what both have.

import PocketBase, { BaseAuthStore, ClientResponseError } from "./node_modules/pocketbase/dist/pocketbase.es.mjs";

const ROWS = 1100; // more than the 1000 that getFullList asks for at once
const SECRET = "correct-horse-3";

/**
 * Runs every step against the server at `url`, which must be fresh, and
 * returns one {name, ok, error} for each. A step that fails does not keep
 * later ones from running.
 */
export async function run({ url, email, password, report = () => {} }) {
    const results = [];
    const state = { url, email, password };
    for (const [name, step] of steps) {
        const result = { name, ok: true, error: "" };
        try {
            await step(state);
        } catch (err) {
            result.ok = false;
            result.error = describe(err);
        }
        results.push(result);
        report(result);
    }
    return results;
}

/** A client as an app makes it; in a browser it keeps its login in localStorage. */
function client(url) {
    const pb = new PocketBase(url);
    pb.authStore.clear();
    return pb.autoCancellation(false);
}

/** A client whose login is its own, also beside others on one page. */
function separate(url) {
    return new PocketBase(url, new BaseAuthStore()).autoCancellation(false);
}

const steps = [
    ["health", async (s) => {
        s.root = separate(s.url);
        const health = await s.root.health.check();
        equal(health.code, 200);
        equal(health.message, "API is healthy.");
    }],

    ["superuser logs in", async (s) => {
        const auth = await s.root.collection("_superusers").authWithPassword(s.email, s.password);
        equal(auth.record.email, s.email);
        equal(auth.record.collectionName, "_superusers");
        equal(s.root.authStore.isValid, true);
        equal(s.root.authStore.isSuperuser, true);
    }],

    ["settings are read and changed", async (s) => {
        const all = await s.root.settings.getAll();
        equal(typeof all.meta.appName, "string");
        const changed = await s.root.settings.update({ meta: { appName: "SDK" }, batch: { enabled: true, maxRequests: 200 } });
        equal(changed.meta.appName, "SDK");
        equal(changed.batch.enabled, true);
        equal(changed.batch.maxRequests, 200);
    }],

    ["collections are made", async (s) => {
        const scaffolds = await s.root.collections.getScaffolds();
        equal(Object.keys(scaffolds).sort().join(), "auth,base,view");
        const members = await s.root.collections.create({
            name: "sdk_members", type: "auth", listRule: "", viewRule: "", createRule: "",
            updateRule: "id = @request.auth.id", deleteRule: "id = @request.auth.id",
            fields: [{ name: "nick", type: "text" }],
        });
        equal(members.type, "auth");
        const items = await s.root.collections.create({
            name: "sdk_items", type: "base", listRule: "", viewRule: "", createRule: "@request.auth.id != ''",
            updateRule: "owner = @request.auth.id", deleteRule: "owner = @request.auth.id",
            fields: [
                { name: "title", type: "text", required: true },
                { name: "count", type: "number" },
                { name: "tags", type: "select", values: ["a", "b", "c"], maxSelect: 3 },
                { name: "doc", type: "file", maxSelect: 1 },
                { name: "docs", type: "file", maxSelect: 5 },
                { name: "owner", type: "relation", collectionId: members.id, maxSelect: 1 },
                { name: "created", type: "autodate", onCreate: true },
                { name: "updated", type: "autodate", onCreate: true, onUpdate: true },
            ],
            indexes: ["CREATE INDEX idx_sdk_items_count ON sdk_items (count)"],
        });
        equal(items.fields.some((f) => f.name === "title" && f.required), true);
        await s.root.collections.create({
            name: "sdk_secrets", type: "base", viewRule: "@request.auth.id != ''",
            fields: [{ name: "doc", type: "file", maxSelect: 1, protected: true }],
        });
        const view = await s.root.collections.create({
            name: "sdk_view", type: "view", listRule: "", viewRule: "", viewQuery: "SELECT id, title, count FROM sdk_items",
        });
        equal(view.fields.map((f) => f.name).join(), "id,title,count");
        equal((await s.root.collections.getOne("sdk_items")).id, items.id);
        const page = await s.root.collections.getList(1, 2, { filter: "name ~ 'sdk_'", sort: "name" });
        equal(page.items.map((c) => c.name).join(), "sdk_items,sdk_members");
        equal(page.totalItems, 4);
    }],

    ["a visitor signs up", async (s) => {
        s.pb = client(s.url);
        s.member = await s.pb.collection("sdk_members").create({
            email: "mia@example.com", password: SECRET, passwordConfirm: SECRET, nick: "Mia",
        });
        equal(s.member.nick, "Mia");
        equal("password" in s.member, false);
        equal("tokenKey" in s.member, false);
        equal("email" in s.member, false, "a guest does not see the email");
    }],

    ["auth methods", async (s) => {
        const methods = await s.pb.collection("sdk_members").listAuthMethods();
        equal(methods.password.enabled, true);
        equal(methods.password.identityFields.join(), "email");
        equal(methods.oauth2.enabled, false);
        equal(methods.oauth2.providers.length, 0);
        equal(methods.mfa.enabled, false);
        equal(methods.otp.enabled, false);
    }],

    ["log in", async (s) => {
        const auth = await s.pb.collection("sdk_members").authWithPassword("mia@example.com", SECRET);
        equal(auth.record.id, s.member.id);
        equal(auth.record.email, "mia@example.com");
        equal(s.pb.authStore.isValid, true);
        equal(s.pb.authStore.isSuperuser, false);
        equal(s.pb.authStore.record.nick, "Mia");
        equal(s.pb.authStore.token, auth.token);
    }],

    ["refresh", async (s) => {
        const auth = await s.pb.collection("sdk_members").authRefresh();
        equal(auth.record.id, s.member.id);
        equal(s.pb.authStore.isValid, true);
        equal(s.pb.authStore.token, auth.token);
    }],

    ["errors of a login", async (s) => {
        const err = await fails(() => separate(s.url).collection("sdk_members").authWithPassword("mia@example.com", "wrong"));
        equal(err.status, 400);
        equal(err.message, "Failed to authenticate.");
        same(err.response, { data: {}, message: "Failed to authenticate.", status: 400 });
        equal(err.url.endsWith("/api/collections/sdk_members/auth-with-password"), true);
        equal(err.isAbort, false);
        const empty = await fails(() => separate(s.url).collection("sdk_members").authWithPassword("", ""));
        equal(empty.response.data.identity.code, "validation_required");
        equal(empty.response.data.password.message, "Cannot be blank.");
        const refresh = await fails(() => separate(s.url).collection("sdk_members").authRefresh());
        equal(refresh.status, 401);
        const taken = await fails(() => s.pb.collection("sdk_members").create({ email: "mia@example.com", password: SECRET, passwordConfirm: "other" }));
        equal(taken.status, 400);
        equal(taken.response.data.passwordConfirm.code, "validation_values_mismatch");
        const twice = await fails(() => s.pb.collection("sdk_members").create({ email: "mia@example.com", password: SECRET, passwordConfirm: SECRET }));
        equal(twice.response.data.email.code, "validation_not_unique");
    }],

    ["errors of rights", async (s) => {
        const settings = await fails(() => s.pb.settings.getAll());
        equal(settings.status, 403);
        const guest = await fails(() => separate(s.url).settings.getAll());
        equal(guest.status, 401);
        const create = await fails(() => separate(s.url).collection("sdk_items").create({ title: "x" }));
        equal(create.status, 400);
        same(create.response.data, {});
        const secrets = await fails(() => s.pb.collection("sdk_secrets").getList());
        equal(secrets.status, 403);
        const unknown = await fails(() => s.pb.collection("nope").getList());
        equal(unknown.status, 404);
        const route = await fails(() => s.pb.send("/api/nope", {}));
        equal(route.status, 404);
        equal(route.response.message, "The requested resource wasn't found.");
    }],

    ["create", async (s) => {
        s.item = await s.pb.collection("sdk_items").create({ title: "first", count: 1, tags: ["a"], owner: s.member.id });
        equal(s.item.title, "first");
        equal(s.item.collectionName, "sdk_items");
        equal(/^[a-z0-9]{15}$/.test(s.item.id), true);
        equal(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/.test(s.item.created), true, s.item.created);
        const invalid = await fails(() => s.pb.collection("sdk_items").create({ tags: ["z"] }));
        equal(invalid.message, "Failed to create record.");
        equal(invalid.response.data.title.code, "validation_required");
        equal(invalid.response.data.tags.code, "validation_invalid_value");
    }],

    ["update with field+", async (s) => {
        const items = s.pb.collection("sdk_items");
        equal((await items.update(s.item.id, { "count+": 5 })).count, 6);
        equal((await items.update(s.item.id, { "count-": 2 })).count, 4);
        equal((await items.update(s.item.id, { "tags+": "c" })).tags.join(), "a,c");
        equal((await items.update(s.item.id, { "+tags": ["b"] })).tags.join(), "b,a,c");
        equal((await items.update(s.item.id, { "tags-": ["a", "c"] })).tags.join(), "b");
        const missing = await fails(() => items.update("missing00000000", { title: "x" }));
        equal(missing.status, 404);
    }],

    ["getOne, expand, fields", async (s) => {
        const items = s.pb.collection("sdk_items");
        const one = await items.getOne(s.item.id, { expand: "owner" });
        equal(one.expand.owner.id, s.member.id);
        equal(one.expand.owner.email, "mia@example.com", "the owner sees her own email");
        const picked = await items.getOne(s.item.id, { fields: "id,expand.owner.nick", expand: "owner" });
        same(picked, { id: s.item.id, expand: { owner: { nick: "Mia" } } });
        const missing = await fails(() => items.getOne("missing00000000"));
        equal(missing.status, 404);
        const empty = await fails(() => items.getOne(""));
        equal(empty.status, 404);
    }],

    ["upload", async (s) => {
        const items = s.pb.collection("sdk_items");
        s.uploaded = await items.create({
            title: "with files", owner: s.member.id, count: 2, tags: ["a", "b"],
            doc: new File(["hello from the SDK"], "Hello World.txt", { type: "text/plain" }),
            docs: [new File(["one"], "one.txt"), new File(["two"], "two.txt")],
        });
        equal(/^hello_world_[a-zA-Z0-9]{10}\.txt$/.test(s.uploaded.doc), true, s.uploaded.doc);
        equal(s.uploaded.docs.length, 2);
        equal(s.uploaded.tags.join(), "a,b");
        equal(s.uploaded.count, 2);
        const more = await items.update(s.uploaded.id, { "docs+": new File(["three"], "three.txt") });
        equal(more.docs.length, 3);
        const fewer = await items.update(s.uploaded.id, { "docs-": [s.uploaded.docs[0]] });
        equal(fewer.docs.length, 2);
        equal(fewer.docs[0], s.uploaded.docs[1]);
        const form = new FormData();
        form.append("title", "by form");
        form.append("owner", s.member.id);
        form.append("count", "12");
        form.append("docs", new File(["f"], "form.txt"));
        const byForm = await items.create(form);
        equal(byForm.count, 12);
        equal(byForm.docs.length, 1);
    }],

    ["download", async (s) => {
        const url = s.pb.files.getURL(s.uploaded, s.uploaded.doc);
        const res = await fetch(url);
        equal(res.status, 200);
        equal(await res.text(), "hello from the SDK");
        equal(res.headers.get("content-type").startsWith("text/plain"), true);
        const gone = await fetch(s.pb.files.getURL(s.uploaded, "missing.txt"));
        equal(gone.status, 404);
        const attachment = await fetch(s.pb.files.getURL(s.uploaded, s.uploaded.doc, { download: true }));
        equal(await attachment.text(), "hello from the SDK");
    }],

    ["a protected file needs a token", async (s) => {
        const secret = await s.root.collection("sdk_secrets").create({ doc: new File(["hush"], "hush.txt") });
        equal((await fetch(s.pb.files.getURL(secret, secret.doc))).status, 404);
        const token = await s.pb.files.getToken();
        const res = await fetch(s.pb.files.getURL(secret, secret.doc, { token }));
        equal(res.status, 200);
        equal(await res.text(), "hush");
        const guest = await fails(() => separate(s.url).files.getToken());
        equal(guest.status, 401);
    }],

    ["batch", async (s) => {
        const batch = s.pb.createBatch();
        batch.collection("sdk_items").create({ title: "batch one", owner: s.member.id, doc: new File(["b"], "batch.txt") });
        batch.collection("sdk_items").create({ title: "batch two", owner: s.member.id });
        batch.collection("sdk_items").update(s.item.id, { "count+": 10 });
        batch.collection("sdk_items").upsert({ id: "upserted0000001", title: "upserted", owner: s.member.id });
        const results = await batch.send();
        equal(results.map((r) => r.status).join(), "200,200,200,200");
        equal(results[0].body.title, "batch one");
        equal(results[0].body.doc !== "", true);
        equal(results[2].body.count, 14);
        equal(results[3].body.id, "upserted0000001");

        const second = s.pb.createBatch();
        second.collection("sdk_items").upsert({ id: "upserted0000001", title: "again" });
        second.collection("sdk_items").delete(results[1].body.id);
        const [upserted, deleted] = await second.send();
        equal(upserted.body.title, "again");
        equal(deleted.status, 204);
        equal(deleted.body, null);
    }],

    ["a batch that fails changes nothing", async (s) => {
        const batch = s.pb.createBatch();
        batch.collection("sdk_items").update(s.item.id, { count: 999 });
        batch.collection("sdk_items").create({ title: "", owner: s.member.id });
        const err = await fails(() => batch.send());
        equal(err.status, 400);
        equal(err.message, "Batch transaction failed.");
        equal(err.response.data.requests["1"].code, "batch_request_failed");
        equal(err.response.data.requests["1"].response.data.title.code, "validation_required");
        equal((await s.pb.collection("sdk_items").getOne(s.item.id)).count, 14);
    }],

    ["getFullList over more than 1,000 rows", async (s) => {
        const before = (await s.root.collection("sdk_items").getFullList({ fields: "id" })).length;
        for (let made = 0; made < ROWS; made += 110) {
            const batch = s.root.createBatch();
            for (let i = made; i < made + 110; i++) {
                batch.collection("sdk_items").create({ title: "row " + String(i).padStart(4, "0"), count: i });
            }
            await batch.send();
        }
        const all = await s.pb.collection("sdk_items").getFullList({ filter: "title ~ 'row '", sort: "title" });
        equal(all.length, ROWS);
        equal(new Set(all.map((r) => r.id)).size, ROWS);
        equal(all[0].title, "row 0000");
        equal(all[ROWS - 1].title, "row " + String(ROWS - 1).padStart(4, "0"));
        equal((await s.pb.collection("sdk_items").getFullList({ fields: "id", batch: 200 })).length, before + ROWS);
    }],

    ["getList", async (s) => {
        const items = s.pb.collection("sdk_items");
        const page = await items.getList(3, 20, { filter: "title ~ 'row '", sort: "-count" });
        equal(page.page, 3);
        equal(page.perPage, 20);
        equal(page.totalItems, ROWS);
        equal(page.totalPages, ROWS / 20);
        equal(page.items[0].count, ROWS - 41);
        const quick = await items.getList(1, 5, { skipTotal: true });
        equal(quick.totalItems, -1);
        equal(quick.items.length, 5);
        const big = await items.getList(1, 5000);
        equal(big.perPage, 1000);
        const bad = await fails(() => items.getList(1, 5, { filter: "nope = 1" }));
        equal(bad.status, 400);
        equal((await s.pb.collection("sdk_view").getList(1, 1)).items[0].title !== undefined, true);
    }],

    ["getFirstListItem", async (s) => {
        const items = s.pb.collection("sdk_items");
        const found = await items.getFirstListItem(s.pb.filter("title = {:title} && count >= {:n}", { title: "row 0007", n: 7 }));
        equal(found.count, 7);
        const quoted = await items.create({ title: "it's \"quoted\"", owner: s.member.id });
        equal((await items.getFirstListItem(s.pb.filter("title = {:t}", { t: "it's \"quoted\"" }))).id, quoted.id);
        const none = await fails(() => items.getFirstListItem("title = 'no such title'"));
        equal(none.status, 404);
    }],

    ["impersonate", async (s) => {
        const as = await s.root.collection("sdk_members").impersonate(s.member.id, 3600);
        equal(as.authStore.isValid, true);
        equal(as.authStore.record.id, s.member.id);
        const updated = await as.collection("sdk_items").update(s.item.id, { title: "by a stand-in" });
        equal(updated.title, "by a stand-in");
        const err = await fails(() => s.pb.collection("sdk_members").impersonate(s.member.id, 3600));
        equal(err.status, 403);
    }],

    ["subscribe", async (s) => {
        const heard = { all: [], one: [], few: [] };
        const items = s.pb.collection("sdk_items");
        await items.subscribe("*", (e) => heard.all.push(e));
        await items.subscribe(s.item.id, (e) => heard.one.push(e), { expand: "owner", fields: "id,title,expand.owner.nick" });
        await items.subscribe("*", (e) => heard.few.push(e), { filter: "count > 5000" });
        equal(s.pb.realtime.isConnected, true);

        const made = await s.root.collection("sdk_items").create({ title: "heard", count: 9000 });
        await until(() => heard.all.length === 1 && heard.few.length === 1);
        equal(heard.all[0].action, "create");
        equal(heard.all[0].record.id, made.id);
        equal(heard.few[0].record.count, 9000);

        await items.update(s.item.id, { title: "heard as well" });
        await until(() => heard.all.length === 2 && heard.one.length === 1);
        same(heard.one[0], { action: "update", record: { id: s.item.id, title: "heard as well", expand: { owner: { nick: "Mia" } } } });

        await s.root.collection("sdk_items").delete(made.id);
        await until(() => heard.all.length === 3);
        equal(heard.all[2].action, "delete");
        equal(heard.all[2].record.id, made.id);

        await items.unsubscribe(s.item.id);
        await items.update(s.item.id, { title: "not to the one" });
        await until(() => heard.all.length === 4);
        equal(heard.one.length, 1);
        await items.unsubscribe();
        equal(s.pb.realtime.isConnected, false);
    }],

    ["hidden from a guest's subscription", async (s) => {
        const guest = separate(s.url);
        const heard = [];
        await guest.collection("sdk_secrets").subscribe("*", (e) => heard.push(e));
        await guest.collection("sdk_items").subscribe("*", (e) => heard.push(e));
        await s.root.collection("sdk_secrets").create({});
        await s.root.collection("sdk_items").create({ title: "the end" });
        await until(() => heard.length > 0);
        equal(heard.map((e) => e.record.collectionName).join(), "sdk_items");
        await guest.realtime.unsubscribe();
    }],

    ["a new password ends other sessions", async (s) => {
        const other = separate(s.url);
        await other.collection("sdk_members").authWithPassword("mia@example.com", SECRET);
        const wrong = await fails(() => s.pb.collection("sdk_members").update(s.member.id, { password: "new-horse-4", passwordConfirm: "new-horse-4", oldPassword: "nope" }));
        equal(wrong.response.data.oldPassword.code, "validation_invalid_old_password");
        await s.pb.collection("sdk_members").update(s.member.id, { password: "new-horse-4", passwordConfirm: "new-horse-4", oldPassword: SECRET });
        const stale = await fails(() => other.collection("sdk_members").authRefresh());
        equal(stale.status, 401);
        const again = await s.pb.collection("sdk_members").authWithPassword("mia@example.com", "new-horse-4");
        equal(again.record.id, s.member.id);
    }],

    ["cancelling", async (s) => {
        const pb = separate(s.url);
        pb.autoCancellation(true);
        const first = fails(() => pb.collection("sdk_items").getList(1, 1000));
        const second = pb.collection("sdk_items").getList(1, 1000);
        equal((await first).isAbort, true);
        equal((await second).items.length, 1000);
    }],

    ["import and truncate", async (s) => {
        await s.root.collections.import([{ name: "sdk_imported", type: "base", fields: [{ name: "t", type: "text" }] }]);
        equal((await s.root.collections.getOne("sdk_imported")).fields.length, 2);
        await s.root.collection("sdk_imported").create({ t: "x" });
        await s.root.collections.truncate("sdk_imported");
        equal((await s.root.collection("sdk_imported").getList()).totalItems, 0);
        await s.root.collections.delete("sdk_imported");
        const gone = await fails(() => s.root.collections.getOne("sdk_imported"));
        equal(gone.status, 404);
    }],

    ["delete", async (s) => {
        equal(await s.pb.collection("sdk_items").delete(s.item.id), true);
        const gone = await fails(() => s.pb.collection("sdk_items").getOne(s.item.id));
        equal(gone.status, 404);
        equal(await s.pb.collection("sdk_members").delete(s.member.id), true);
        equal(s.pb.authStore.isValid, false, "deleting oneself logs out");
    }],
];

// ---------------------------------------------------------------------------

function equal(got, want, hint = "") {
    if (got !== want) {
        throw new Error(`got ${JSON.stringify(got)}, want ${JSON.stringify(want)} ${hint}`);
    }
}

/** Like equal for values of any shape; the order of keys is free. */
function same(got, want) {
    const sorted = (v) => (v && typeof v === "object" && !Array.isArray(v)
        ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])]))
        : Array.isArray(v) ? v.map(sorted) : v);
    equal(JSON.stringify(sorted(got)), JSON.stringify(sorted(want)));
}

/** The error of a request that must be refused. */
async function fails(request) {
    let answer;
    try {
        answer = await request();
    } catch (err) {
        if (err instanceof ClientResponseError) {
            return err;
        }
        throw err;
    }
    throw new Error("was not refused: " + JSON.stringify(answer));
}

/** Waits until something has happened, for at most five seconds. */
async function until(happened) {
    const deadline = Date.now() + 5000;
    while (!happened()) {
        if (Date.now() > deadline) {
            throw new Error("did not happen in 5 s: " + happened);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

function describe(err) {
    const response = err instanceof ClientResponseError ? ` ${err.url} ${err.status} ${JSON.stringify(err.response)} ${err.originalError ?? ""}` : "";
    return (err.stack || String(err)) + response;
}
