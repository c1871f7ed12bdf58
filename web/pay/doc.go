// Package pay is what a payer sees: the hosted payment page and the registration page (merchant-gateway §2 rows 9-10), for a stranger on a
// phone who is about to move money.
//
//	GET  /gateway/portal/v1/payments/{id}         the page
//	POST /gateway/portal/v1/payments/{id}         the payer's name and bank, where the merchant did not send them (§18)
//	GET  /gateway/portal/v1/payments/{id}/events  the page's changes as they happen, as server-sent events
//	GET  /gateway/portal/v1/payments/{id}/state   the same once, for a page that cannot hold a stream open
//	GET  /gateway/portal/v1/payments/{id}/logo    the merchant's logo
//	GET  /gateway/register/v1/payments/{id}       the registration page, and POST: once per user_id (§16)
//
// The id in the path is the only credential: it is never logged, and no other host hears it. The server writes the whole page; the script
// only copies, counts and swaps in what the server wrote. When nobody answers, the page says that money already sent is still found; when
// the time is over it takes the account away, with or without an answer.
package pay
