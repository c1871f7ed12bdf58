// Package desk is the merchant's page: what a merchant's developer and its operations people see of their orders, payouts, notifications,
// signatures and keys (merchant-gateway §3-§19). It is served under /desk/ beside the merchant API.
//
//	GET  /desk/                     balance, and what happened today
//	GET  /desk/deposits, /payouts   lists, filtered by their address; the same with .csv
//	GET  /desk/deposits/{number}    one order: what happened, when, and what the merchant was told
//	GET  /desk/notices              the delivery log; POST …/resend and …/resend-all send again
//	GET  /desk/signature            how a message is signed, and where a signature differs (§4); POST the same with a message
//	GET  /desk/keys                 the keys; POST …/new and …/end change them
//	GET  /desk/settings             what is agreed
//
// A merchant signs in with its platform_id and platform_key. A session lives in memory and ends with the key that opened it. Nothing here
// moves money, but for the simulated bank of a sandbox. When nobody answers, the page says so and what to look at before trying again.
package desk
