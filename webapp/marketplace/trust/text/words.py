"""The words that the rules know, folded as `scan` folds them. Languages: those that the marketplace's people write most."""

from __future__ import annotations

AT_WORDS = frozenset({"at", "arroba", "собака", "chiocciola", "arobase", "एट"})
DOT_WORDS = frozenset({"dot", "punkt", "punto", "ponto", "point", "точка", "тчк", "डॉट", "نقطة"})
MAIL_HOSTS = frozenset({
    "gmail", "googlemail", "yahoo", "ymail", "hotmail", "outlook", "live", "msn", "icloud", "proton", "protonmail", "gmx", "aol", "zoho",
    "yandex", "mail", "email", "tutanota", "qq", "163", "126", "rediffmail", "web", "inbox",
})  # fmt: skip
#: hosts that are also common words: "good at mail" is no address
_COMMON = frozenset({"live", "mail", "email", "web", "inbox", "outlook"})
PLAIN_MAIL_HOSTS = MAIL_HOSTS - _COMMON
TLDS = frozenset({
    "com", "org", "net", "io", "co", "me", "info", "biz", "dev", "app", "ai", "xyz", "online", "site", "tech", "edu", "gov", "pro", "us", "uk",
    "de", "fr", "es", "it", "nl", "be", "at", "ch", "pl", "pt", "br", "in", "pk", "bd", "ru", "ua", "cn", "jp", "kr", "au", "nz", "ca", "mx",
    "ar", "za", "ng", "ke", "gh", "eg", "ae", "sa", "tr", "ir", "id", "ph", "vn", "th", "my", "sg", "hk", "tw", "se", "no", "fi", "dk", "ie",
    "gr", "cz", "ro", "hu", "eu", "gg", "ee", "group", "dog", "рф", "ру",
})  # fmt: skip
MAIL_CUES = frozenset(
    {"mail", "email", "e-mail", "contact", "reach", "write", "ping", "correo", "почта", "gmail", "address", "ईमेल", "ايميل", "邮箱"}
)
NOT_LOCAL = frozenset({"git", "svn"})

PHONE_CUES = frozenset({
    "phone", "phones", "tel", "telephone", "telefon", "telefone", "telefono", "teléfono", "téléphone", "mobile", "mob", "cell", "cellphone", "handy",
    "handynummer", "whatsapp", "wa", "viber", "sms", "celular", "móvil", "portable", "телефон", "тел", "вотсап", "ватсап", "звоните", "номер",
    "फोन", "मोबाइल", "व्हाट्सएप", "هاتف", "جوال", "واتساب", "الهاتف", "simu", "nambari",
})  # fmt: skip
#: say "phone" less clearly: more digits are wanted
WEAK_PHONE_CUES = frozenset({"call", "text", "ring", "dial", "reach", "llámame", "ligue", "appelez", "anrufen", "ruf", "piga"})
#: cues of scripts that put no blanks between words: looked for at the end of the run of letters before the number
JOINED_CUES = ("电话", "手机", "电话是", "微信", "電話", "携帯", "전화", "โทร", "ライン")
NOT_PHONE = frozenset({
    "order", "orders", "invoice", "isbn", "issn", "ref", "reference", "ticket", "sku", "serial", "case", "po", "version", "ver", "ip", "vin", "ean",
    "upc", "gtin", "asin", "doi", "lat", "latitude", "lon", "lng", "long", "longitude", "coordinates", "timestamp", "epoch", "unix", "id", "ids", "account",
    "iban", "tracking", "job", "build", "commit", "model", "part", "item", "product", "article", "hash", "zip", "postcode", "siret", "ein",
    "vat", "budget", "price", "salary", "заказ", "счет", "номер_заказа", "pedido", "factura", "bestellung", "rechnung", "订单", "gst", "license",
})  # fmt: skip
MONEY = frozenset({"usd", "eur", "gbp", "inr", "rs", "kes", "ksh", "ngn", "cad", "aud", "jpy", "dollars", "dollar", "euro", "euros", "pounds", "rupees", "k", "руб", "px",
                   "users", "views", "records", "rows", "followers", "subscribers", "customers", "people", "items", "products", "hours", "words"})  # fmt: skip
MONEY_SIGNS = frozenset("$€£¥₹₽₩₦₴₺₱฿#=_%")

DIGIT_WORDS = {
    "zero": "0", "oh": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "cero": "0", "uno": "1", "dos": "2", "tres": "3", "cuatro": "4", "cinco": "5", "seis": "6", "siete": "7", "ocho": "8", "nueve": "9",
    "null": "0", "eins": "1", "zwei": "2", "drei": "3", "vier": "4", "fünf": "5", "sechs": "6", "sieben": "7", "acht": "8", "neun": "9",
    "ноль": "0", "один": "1", "два": "2", "три": "3", "четыре": "4", "пять": "5", "шесть": "6", "семь": "7", "восемь": "8", "девять": "9",
}  # fmt: skip

MESSENGERS = frozenset({
    "whatsapp", "whatsap", "watsapp", "wattsapp", "telegram", "telegramm", "skype", "wechat", "weixin", "discord", "viber", "signal", "snapchat", "kik", "messenger",
    "instagram", "insta", "imo", "line", "zalo", "kakaotalk", "тг", "телеграм", "телеграмм", "телеграме", "вотсап", "ватсап", "вотсапе", "вайбер", "скайп",
    "скайпе", "व्हाट्सएप", "टेलीग्राम", "واتساب", "تلغرام", "تيليجرام", "تليجرام",
})  # fmt: skip
#: messengers whose names are ordinary words: a name after them must be unmistakable
ORDINARY = frozenset({"line", "signal", "messenger", "discord", "imo", "instagram", "insta"})
NAME_WORDS = frozenset({"id", "username", "user", "handle", "nick", "nickname", "name", "ник", "usuario", "benutzername", "आईडी", "معرف"})
NAME_FILLERS = frozenset({"my", "is", "are", "me", "at", "on", "mine", "es", "ist", "мой", "это", "है"})
#: what stands after "Telegram:" without being a name
NO_NAMES = frozenset({"yes", "no", "required", "available", "optional", "bot", "bots", "api", "channel", "group", "app", "integration", "needed", "the", "and", "a", "is", "web", "nein", "ja", "tbd"})  # fmt: skip
INVITES = frozenset({
    "contact", "message", "msg", "text", "add", "ping", "reach", "chat", "talk", "write", "dm", "find", "hit", "call", "connect", "discuss", "join", "catch", "continue",
    "speak", "hmu", "пишите", "напишите", "напиши", "пиши", "escríbeme", "escribeme", "escríbame", "contáctame", "contactame", "schreib", "schreiben", "écris", "contacte",
    "fale", "chama", "chame", "संपर्क", "تواصل", "راسلني", "कॉल",
})  # fmt: skip
TO_ME = frozenset({"me", "us", "my", "our", "мне", "mir", "moi", "mich", "معي", "मुझे", "lets", "let", "please", "there"})
#: these verbs hold the person in themselves
OF_ME = frozenset({"hmu", "пишите", "напишите", "напиши", "пиши", "escríbeme", "escribeme", "escríbame", "contáctame", "contactame", "راسلني", "تواصل", "chama", "chame"})  # fmt: skip
THROUGH = frozenset(
    {
        "on",
        "via",
        "in",
        "over",
        "through",
        "by",
        "using",
        "по",
        "в",
        "por",
        "en",
        "per",
        "über",
        "auf",
        "sur",
        "no",
        "na",
        "على",
        "عبر",
        "पर",
    }
)
THIRD_PERSONS = frozenset({"customers", "customer", "users", "user", "clients", "client's", "people", "visitors", "patients", "guests", "leads", "they", "buyers", "students"})  # fmt: skip
CHAT_HOSTS = frozenset({
    "wa.me", "t.me", "m.me", "telegram.me", "telegram.dog", "chat.whatsapp.com", "api.whatsapp.com", "discord.gg", "join.skype.com", "line.me", "lin.ee", "signal.me",
    "signal.group", "calendly.com", "linktr.ee", "wechat.com",
})  # fmt: skip
#: "ASP.NET" is no address
TECHNIQUES_NET = frozenset({"asp", "vb", "ado", "ml", "c", "f", "b", "vs", "core"})
