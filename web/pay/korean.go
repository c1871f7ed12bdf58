package pay

var korean = words{
	Tag: "ko", Name: "한국어", Short: "한",

	Won: "%s원", Clock: "15:04", Moment: "2006년 1월 2일 15:04",
	States: [states]string{
		Waiting:     "입금을 기다리고 있습니다",
		Seen:        "입금을 확인하고 있습니다",
		Received:    "입금이 확인되었습니다",
		OtherAmount: "보내신 금액이 주문 금액과 다릅니다. 판매자가 확인 중입니다",
		Expired:     "결제 시간이 지났습니다. 지금은 보내지 마세요",
		Late:        "늦게 도착한 입금을 확인 중입니다",
		Cancelled:   "취소되었습니다",
		TakenBack:   "은행에서 입금이 취소되었습니다",
		Refused:     "입금을 처리하지 못했습니다",
	},
	Beside: [states]string{
		Seen:        "다시 보내지 마세요",
		Received:    "이 화면은 닫으셔도 됩니다",
		OtherAmount: "다시 보내지 마세요",
		Expired:     "이미 보내셨다면 다시 보내지 마세요",
		Late:        "다시 보내지 마세요",
		Cancelled:   "이 주문으로는 보내지 마세요",
		TakenBack:   "이 주문으로 다시 보내지 마세요",
		Refused:     "이 주문으로 다시 보내지 마세요",
	},
	Next: [states][2]string{
		Waiting:     {"입금이 확인되면 이 화면이 바로 바뀝니다.", "화면을 닫아도 보내신 돈은 그대로 확인됩니다."},
		Seen:        {"확인이 끝나면 이 화면이 바로 바뀝니다.", "화면을 닫아도 보내신 돈은 그대로 확인됩니다."},
		Received:    {"판매자에게 결제 결과를 알립니다.", "문의하실 때는 거래번호를 알려 주세요."},
		OtherAmount: {"보내신 돈은 사라지지 않습니다.", "판매자가 확인해 안내합니다."},
		Expired:     {"보내신 돈은 도착하는 대로 확인됩니다.", "아직 보내지 않으셨다면 판매자 화면에서 새로 주문하세요."},
		Late:        {"보내신 돈은 사라지지 않습니다.", "판매자가 확인해 안내합니다."},
		Cancelled:   {"이미 보내셨다면 판매자에게 문의하세요.", "문의하실 때는 거래번호를 알려 주세요."},
		TakenBack:   {"돈이 어디에 있는지는 거래 은행이 알려 드립니다.", "주문에 대해서는 판매자에게 문의하세요."},
		Refused:     {"이미 보내셨다면 판매자에게 문의하세요.", "문의하실 때는 거래번호를 알려 주세요."},
	},
	NextNaming: [2]string{"이름과 은행은 입금을 알아보는 데에만 씁니다.", "입력하시면 보내실 계좌가 나타납니다."},
	Titles: [states]string{
		Waiting: "보낼 금액", Seen: "확인 중인 금액", Received: "결제 금액", OtherAmount: "받은 금액", Expired: "주문 금액",
		Late: "받은 금액", Cancelled: "주문 금액", TakenBack: "취소된 금액", Refused: "주문 금액",
	},
	Faults: map[Field][faults]string{
		NameField: {
			Missing:   "보내는 분 이름을 입력하세요.",
			Malformed: "통장에 적힌 이름을 16자까지 입력하세요.",
			Differs:   "등록된 이름과 다릅니다. 본인 이름을 입력하거나 판매자에게 문의하세요.",
		},
		BankField: {
			Missing:   "은행을 고르세요.",
			Malformed: "목록에서 은행을 고르세요.",
			Differs:   "등록된 은행과 다릅니다. 등록한 은행을 고르거나 판매자에게 문의하세요.",
		},
		AccountField: {
			Missing:   "계좌번호를 입력하세요.",
			Malformed: "계좌번호를 숫자 7~16자리로 입력하세요.",
			Differs:   "등록된 계좌와 다릅니다. 등록한 계좌를 입력하거나 판매자에게 문의하세요.",
		},
	},
	Languages: "언어", OrderNumber: "주문번호",

	ExactAmount: "주문 금액은 %s입니다. 이 금액 그대로 보내야 자동으로 확인됩니다",
	Bank:        "은행",
	Account:     "계좌번호",
	Holder:      "예금주",
	Code:        "입금 코드",
	CodeHint:    "받는 통장 표시 내용에 입력",
	From:        "보내는 분",
	FromHint:    "본인 이름의 계좌에서 보내세요",

	Copy: "복사", Copied: "복사됨", CopyOf: "%s 복사",

	Until: "%s까지", TimeLeft: "남은 시간",

	OrderedAmount: "주문 금액", Reference: "거래번호",
	At: [states]string{
		Received: "입금 시각", OtherAmount: "입금 시각", Expired: "만료 시각", Late: "입금 시각",
		Cancelled: "취소 시각", TakenBack: "취소 시각", Refused: "처리 시각",
	},

	NameTitle:    "누가 보내시나요?",
	NameField:    "보내는 분 이름",
	NameHint:     "통장에 적힌 이름 그대로",
	BankField:    "보내는 은행",
	ChooseBank:   "은행 선택",
	AccountField: "보내는 계좌번호",
	AccountHint:  "숫자만 입력해도 됩니다",
	Send:         "계좌 보기",

	RegisterFirst: "처음 한 번, 보내는 계좌를 등록해야 합니다",
	RegisterOpen:  "계좌 등록하기",
	RegisterTitle: "보내는 계좌 등록",
	RegisterWhy:   [2]string{"처음 한 번만 등록합니다.", "다음부터는 이 계좌에서 보낸 돈을 바로 알아봅니다."},
	RegisterFor:   "회원 %s",
	RegisterSend:  "등록하고 계속하기",
	Back:          "결제 화면으로 돌아가기",

	Help:    "판매자에게 문의하기",
	Reload:  "새로고침",
	Lost:    "연결이 끊겼습니다. 다시 연결하고 있습니다. 보내신 돈은 그대로 확인됩니다.",
	Over:    "결제 시간이 지났습니다. 지금은 보내지 마세요.",
	Unknown: [2]string{"페이지를 찾을 수 없습니다", "주소를 다시 확인하세요."},
	Broken:  [2]string{"지금은 보여 드릴 수 없습니다", "잠시 뒤 다시 열어 주세요. 이미 보내셨다면 다시 보내지 마세요."},
}
