"""What a column can be imported as, and which headers mean it.

A field may be fed by several columns (two headers that mean the same): the first cell that is not empty counts.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crm.imports.limits import UnreadableFileError
from crm.normalisation import search_key

ATTRIBUTE: Final = "attributes."


class ImportKind(StrEnum):
    """What the rows of a file are."""

    CUSTOMERS = "customers"
    PURCHASES = "purchases"


# field → headers that mean it, folded to letters and digits; the first field that knows a header takes it.
CUSTOMER_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "external_id": (
        "externalid",
        "customerid",
        "customernumber",
        "customerno",
        "customercode",
        "clientid",
        "memberid",
        "userid",
        "contactid",
        "identifier",
        "id",
        "uid",
        "uuid",
        "membershipnumber",
        "loyaltynumber",
        "کدمشتری",
        "شمارهمشتری",
        "شناسه",
        "شناسهمشتری",
        "کداشتراک",
        "شمارهاشتراک",
        "کد",
    ),
    "email": (
        "email",
        "emailaddress",
        "emailaddr",
        "mail",
        "emailid",
        "primaryemail",
        "emailprimary",
        "email1",
        "email1value",
        "contactemail",
        "customeremail",
        "useremail",
        "secondaryemail",
        "email2",
        "workemail",
        "homeemail",
        "ایمیل",
        "پستالکترونیک",
        "پستالکترونیکی",
        "رایانامه",
        "ادرسایمیل",
        "نشانیایمیل",
    ),
    "phone": (
        "mobile",
        "mobilephone",
        "mobilenumber",
        "mobileno",
        "cell",
        "cellphone",
        "cellnumber",
        "phone",
        "phonenumber",
        "phoneno",
        "telephone",
        "telephonenumber",
        "tel",
        "phone1",
        "phone1value",
        "whatsapp",
        "whatsappnumber",
        "contactnumber",
        "primaryphone",
        "homephone",
        "workphone",
        "phone2",
        "موبایل",
        "تلفنهمراه",
        "همراه",
        "شمارهموبایل",
        "شمارههمراه",
        "شمارهتماس",
        "تلفن",
        "شمارهتلفن",
        "تماس",
    ),
    "first_name": ("firstname", "givenname", "forename", "first", "fname", "christianname", "نام", "اسم", "نامکوچک"),
    "last_name": ("lastname", "surname", "familyname", "last", "lname", "نامخانوادگی", "فامیلی", "فامیل", "شهرت"),
    "name": (
        "name",
        "fullname",
        "displayname",
        "customername",
        "clientname",
        "contactname",
        "customer",
        "client",
        "نامکامل",
        "نامونامخانوادگی",
        "ناممشتری",
        "مشتری",
    ),
    "birthday": ("birthday", "birthdate", "dateofbirth", "dob", "born", "bday", "تاریختولد", "تولد", "متولد"),
    "gender": ("gender", "sex", "جنسیت", "جنس"),
    "language": ("language", "lang", "locale", "preferredlanguage", "زبان"),
    "time_zone": ("timezone", "tz", "منطقهزمانی"),
    "street": ("street", "streetaddress", "address", "address1", "addressline1", "homeaddress", "ادرس", "نشانی", "خیابان"),
    "city": ("city", "town", "homecity", "locality", "شهر"),
    "state": ("state", "province", "region", "county", "homestate", "استان"),
    "postal_code": ("postalcode", "postcode", "zip", "zipcode", "homezipcode", "کدپستی"),
    "country": ("country", "countrycode", "homecountry", "countryname", "کشور"),
    "tags": ("tags", "tag", "labels", "label", "groups", "categories", "برچسب", "برچسبها", "گروه"),
    "preferred_location": ("preferredlocation", "location", "branch", "store", "homestore", "shop", "salon", "شعبه"),
    "consent_email": (
        "consentemail",
        "emailconsent",
        "emailoptin",
        "emailmarketing",
        "emailmarketingconsent",
        "acceptsemail",
        "acceptsmarketing",
        "subscribedtoemails",
        "subscribed",
        "optin",
        "newsletter",
        "marketingconsent",
        "رضایتایمیل",
        "خبرنامه",
    ),
    "consent_sms": ("consentsms", "smsconsent", "smsoptin", "smsmarketing", "acceptssms", "acceptssmsmarketing", "رضایتپیامک", "پیامک"),
    "consent_whatsapp": ("consentwhatsapp", "whatsappconsent", "whatsappoptin", "رضایتواتساپ"),
}
PURCHASE_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "number": (
        "number",
        "invoiceno",
        "invoice",
        "invoicenumber",
        "invoiceid",
        "receipt",
        "receiptno",
        "receiptnumber",
        "receiptid",
        "orderno",
        "order",
        "ordernumber",
        "orderid",
        "transactionid",
        "transaction",
        "basketid",
        "bill",
        "billno",
        "saleid",
        "شمارهفاکتور",
        "فاکتور",
        "شمارهسفارش",
        "سفارش",
        "شمارهرسید",
        "رسید",
    ),
    "purchased_at": (
        "purchasedat",
        "invoicedate",
        "date",
        "datetime",
        "purchasedate",
        "orderdate",
        "saledate",
        "transactiondate",
        "timestamp",
        "createdat",
        "soldat",
        "paidat",
        "تاریخ",
        "تاریخفاکتور",
        "تاریخخرید",
        "تاریخسفارش",
        "زمان",
    ),
    "external_id": CUSTOMER_HEADERS["external_id"][:-1],
    "email": CUSTOMER_HEADERS["email"],
    "phone": CUSTOMER_HEADERS["phone"],
    "product_code": (
        "productcode",
        "stockcode",
        "sku",
        "productid",
        "itemcode",
        "itemid",
        "item",
        "barcode",
        "upc",
        "کدکالا",
        "کدمحصول",
        "بارکد",
    ),
    "description": (
        "description",
        "product",
        "productname",
        "itemname",
        "service",
        "title",
        "شرح",
        "کالا",
        "نامکالا",
        "محصول",
        "ناممحصول",
        "خدمت",
    ),
    "category": ("category", "productcategory", "department", "productgroup", "دسته", "دستهبندی", "گروهکالا"),
    "quantity": ("quantity", "qty", "units", "count", "pieces", "تعداد", "مقدار"),
    "unit_price": ("unitprice", "price", "priceeach", "itemprice", "rate", "قیمت", "قیمتواحد", "فی"),
    "amount": ("amount", "lineamount", "linetotal", "total", "totalprice", "subtotal", "salesvalue", "sum", "مبلغ", "جمع", "مبلغکل"),
    "payment_method": ("paymentmethod", "payment", "paidby", "paymenttype", "tender", "روشپرداخت", "پرداخت", "نوعپرداخت"),
    "location": ("location", "branch", "store", "storeid", "shop", "salon", "شعبه", "فروشگاه"),
    "country": CUSTOMER_HEADERS["country"],
    "customer_name": ("customername", "clientname", "fullname", "ناممشتری", "مشتری"),
}
HEADERS: Final = {ImportKind.CUSTOMERS: CUSTOMER_HEADERS, ImportKind.PURCHASES: PURCHASE_HEADERS}
IDENTITIES: Final = ("external_id", "email", "phone")
_AGAIN: Final = re.compile(r"(.*) \(\d+\)")  # a column of a name that another has too: see `check_header`


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which columns (by position) feed each field, in the order in which they are asked."""

    columns: dict[str, tuple[int, ...]]

    def unused(self, header: list[str]) -> list[str]:
        """Headers of columns that no field takes."""
        used = {index for indexes in self.columns.values() for index in indexes}
        return [name for index, name in enumerate(header) if index not in used]

    def named(self, header: list[str]) -> dict[str, list[str]]:
        """The mapping in the words of the header."""
        return {field: [header[index] for index in indexes] for field, indexes in self.columns.items()}


def fold_header(header: str) -> str:
    """A header as it is compared: letters and digits alone."""
    return search_key(header).replace(" ", "")


def guess_mapping(kind: ImportKind, header: list[str], attributes: frozenset[str] = frozenset()) -> Mapping:
    """The mapping that the headers, English or Persian, suggest; declared custom attributes are taken by key."""
    folded = [fold_header(again[1] if (again := _AGAIN.fullmatch(name)) and again[1] in header else name) for name in header]
    columns: dict[str, tuple[int, ...]] = {}
    taken: set[int] = set()
    for field, names in HEADERS[kind].items():
        own = fold_header(field)
        ranked = sorted(
            (0 if name == own else names.index(name) + 1, index)
            for index, name in enumerate(folded)
            if index not in taken and (name == own or name in names)
        )
        if ranked:
            columns[field] = tuple(index for _, index in ranked)
            taken.update(columns[field])
    if kind is ImportKind.CUSTOMERS:
        keys = {fold_header(key): key for key in attributes}
        for index, name in enumerate(folded):
            if index not in taken and name.removeprefix("attributes") in keys:
                columns[f"{ATTRIBUTE}{keys[name.removeprefix('attributes')]}"] = (index,)
    return Mapping(columns)


def told_mapping(
    kind: ImportKind,
    header: list[str],
    told: dict[str, list[str]],
    attributes: frozenset[str] = frozenset(),
    *,
    guess: bool = True,
) -> Mapping:
    """The guessed mapping, with what was told in its place; an empty list of columns leaves the field out.

    Raises:
        UnreadableFileError: an unknown field or column.
    """
    columns = dict(guess_mapping(kind, header, attributes).columns) if guess else {}
    chosen: dict[str, tuple[int, ...]] = {}
    for field, names in told.items():
        if field not in HEADERS[kind] and not (kind is ImportKind.CUSTOMERS and field.removeprefix(ATTRIBUTE) in attributes):
            known = ", ".join([*HEADERS[kind], *(f"{ATTRIBUTE}{key}" for key in sorted(attributes))])
            raise UnreadableFileError("unknown_field", "There is no field “%(field)s”; there are: %(known)s.", field=field, known=known)
        chosen[field] = tuple(_position(name, header) for name in names if name)
    used = {index for indexes in chosen.values() for index in indexes}
    for field, indexes in columns.items():
        columns[field] = tuple(index for index in indexes if index not in used)
    return Mapping({field: indexes for field, indexes in (columns | chosen).items() if indexes})


def _position(name: str, header: list[str]) -> int:
    if name in header:
        return header.index(name)
    folded = [fold_header(cell) for cell in header]
    if (wanted := fold_header(name)) in folded:
        return folded.index(wanted)
    raise UnreadableFileError(
        "unknown_column", "The file has no column “%(column)s”; it has: %(known)s.", column=name, known=", ".join(header)
    )


def missing_fields(kind: ImportKind, mapping: Mapping) -> str:
    """Why a mapping cannot be imported, or the empty string."""
    if kind is ImportKind.CUSTOMERS and not any(field in mapping.columns for field in IDENTITIES):
        return "No column holds an e-mail address, a phone or a customer number; one of them is needed to know people by."
    if kind is ImportKind.PURCHASES:
        if "number" not in mapping.columns:
            return "No column holds the receipt number."
        if "purchased_at" not in mapping.columns:
            return "No column holds the date of the purchase."
        if "amount" not in mapping.columns and "unit_price" not in mapping.columns:
            return "No column holds a price or an amount."
    return ""
