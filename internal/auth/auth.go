// Package auth knows who asks: it checks passwords, hands out tokens and tells
// whom a token stands for.
//
// A token is a JWT signed with a key that belongs to one record (its tokenKey)
// and one collection (its secret for that type of token). So a token is revoked
// by changing either, nothing has to be remembered, and whoever reads a token
// has to read its record: [Auth.Identify] keeps the two together as a fact
// (store.Facts), which costs one lookup per request.
//
// Start at [Auth], then [Passwords], the queue in front of bcrypt, and
// [Superusers], what the command line and the install page ask for.
package auth
