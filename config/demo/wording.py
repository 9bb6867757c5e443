"""What the demo's campaigns say, in two languages."""

from messaging.content.frame import MessageSource

ENGLISH_SUBJECT = "{{ customer.first_name | default('Hello') }}, your chair is waiting"
ENGLISH_PREHEADER = "Two dollars off any cut this week, at the branch you know."
ENGLISH_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Saffron Barbers</title>
<style>
body { margin: 0; background: #f6f1e7; font-family: Georgia, serif; color: #292524 }
.card { max-width: 560px; margin: 24px auto; padding: 32px; background: #ffffff; border-radius: 12px }
h1 { color: #b45309; font-size: 26px; margin: 0 0 16px }
p { font-size: 17px; line-height: 1.6 }
.button { display: inline-block; padding: 14px 28px; background: #b45309; color: #ffffff; border-radius: 8px; text-decoration: none }
</style></head>
<body><div class="card">
<h1>Time for a fresh cut{% if customer.first_name %}, {{ customer.first_name }}{% endif %}?</h1>
{% if customer.last_visit_on %}
<p>You were last with us on {{ customer.last_visit_on }}. Hair grows about a centimetre a month, so you know what the mirror says.</p>
{% else %}
<p>It has been a while. Hair grows about a centimetre a month, so you know what the mirror says.</p>
{% endif %}
<p>This week any service is two dollars off at {{ location.name | default("every branch") }}.
{% if customer.visit_count > 10 %}You have been with us {{ customer.visit_count }} times: the coffee is on us, too.{% endif %}</p>
<p><a class="button" href="@SITE@/book">Book your chair</a></p>
<p>Not this week? <a href="@SITE@/products">Pomade and beard oil</a> keep things in order until then.</p>
{{ footer }}
</div></body></html>
"""

PERSIAN_SUBJECT = "{{ customer.first_name | default('سلام') }}، صندلی شما آماده است"
PERSIAN_PREHEADER = "این هفته همهٔ خدمات دو دلار ارزان‌تر است."
PERSIAN_HTML = """<!doctype html>
<html lang="fa" dir="rtl"><head><meta charset="utf-8"><title>آرایشگاه زعفران</title>
<style>
body { margin: 0; background: #f6f1e7; font-family: Vazirmatn, Tahoma, sans-serif; color: #292524 }
.card { max-width: 560px; margin: 24px auto; padding: 32px; background: #ffffff; border-radius: 12px }
h1 { color: #b45309; font-size: 24px; margin: 0 0 16px }
p { font-size: 17px; line-height: 1.9 }
.button { display: inline-block; padding: 14px 28px; background: #b45309; color: #ffffff; border-radius: 8px; text-decoration: none }
</style></head>
<body dir="rtl"><div class="card">
<h1>{% if customer.first_name %}{{ customer.first_name }} عزیز، {% endif %}وقت اصلاح است</h1>
{% if customer.last_visit_on %}<p>آخرین بار {{ customer.last_visit_on }} مهمان ما بودید.</p>{% endif %}
<p>این هفته همهٔ خدمات شعبهٔ {{ location.name | default("نزدیک شما") }} دو دلار ارزان‌تر است.</p>
<p><a class="button" href="@SITE@/book">رزرو نوبت</a></p>
{{ footer }}
</div></body></html>
"""


def english(site: str) -> MessageSource:
    """The English campaign, its links leading to the business's own site."""
    return MessageSource(subject=ENGLISH_SUBJECT, preheader=ENGLISH_PREHEADER, html=ENGLISH_HTML.replace("@SITE@", site), language="en")


def persian(site: str) -> MessageSource:
    """The Persian campaign."""
    return MessageSource(subject=PERSIAN_SUBJECT, preheader=PERSIAN_PREHEADER, html=PERSIAN_HTML.replace("@SITE@", site), language="fa")
