package gsp

import (
	"strconv"
	"time"
)

// Generation is one of the two shapes a message can have (gsp-core §0). A route has one; an API may use both.
type Generation uint8

// The generations.
const (
	A Generation = iota // scalars and enum strings; the account stands beside the header
	B                   // objects and one-of objects; the account stands in the header
)

// slot is a place in a request that the envelope reads or leaves out of the content.
type slot uint8

const (
	elsewhere slot = iota
	root
	header
	requestID
	timestamp
	stamp // generation B's object around the timestamp
	version
	major
	minor
	revision
	locale
	account
	slots
)

// dropped says what does not make two requests differ (gsp-core §4.3 step 2).
var dropped = [slots]bool{timestamp: true, stamp: true, minor: true, revision: true, locale: true}

// shape says where a generation has what, and how its faults name it.
type shape struct {
	members [slots]map[string]slot
	names   [slots]string
}

var shapes = [...]shape{
	A: {
		members: [slots]map[string]slot{
			root:    {"requestHeader": header, "paymentIntegratorAccountId": account},
			header:  {"requestId": requestID, "requestTimestamp": timestamp, "protocolVersion": version, "userLocale": locale},
			version: {"major": major, "minor": minor, "revision": revision},
		},
		names: [slots]string{
			header: "requestHeader", requestID: "requestHeader.requestId", timestamp: "requestHeader.requestTimestamp",
			version: "requestHeader.protocolVersion", major: "requestHeader.protocolVersion.major", account: "paymentIntegratorAccountId",
		},
	},
	B: {
		members: [slots]map[string]slot{
			root: {"requestHeader": header},
			header: {
				"requestId": requestID, "requestTimestamp": stamp, "protocolVersion": version, "userLocale": locale,
				"paymentIntegratorAccountId": account,
			},
			stamp:   {"epochMillis": timestamp},
			version: {"major": major, "minor": minor, "revision": revision},
		},
		names: [slots]string{
			header: "requestHeader", requestID: "requestHeader.requestId", stamp: "requestHeader.requestTimestamp",
			timestamp: "requestHeader.requestTimestamp.epochMillis", version: "requestHeader.protocolVersion",
			major: "requestHeader.protocolVersion.major", account: "requestHeader.paymentIntegratorAccountId",
		},
	},
}

// openings are the bytes of a message up to and after its timestamp (gsp-core §3.2).
var responseOpenings = [...][2]string{
	A: {`{"responseHeader":{"responseTimestamp":"`, `"}`},
	B: {`{"responseHeader":{"responseTimestamp":{"epochMillis":"`, `"}}`},
}

// appendResponse puts a response header of this moment in front of members, which are a JSON object without one.
func (g Generation) appendResponse(dst []byte, now time.Time, members []byte) []byte {
	dst = append(dst, responseOpenings[g][0]...)
	dst = strconv.AppendInt(dst, now.UnixMilli(), 10)
	dst = append(dst, responseOpenings[g][1]...)
	return appendMembers(dst, members)
}

// appendMembers closes an object that is still open with the members of another.
func appendMembers(dst, object []byte) []byte {
	if len(object) > len(`{}`) {
		dst = append(dst, ',')
	}
	return append(dst, object[1:]...)
}
