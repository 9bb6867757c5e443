"""Addresses of the pages of loyalty."""

from django.urls import path

from loyalty.views import cards, counter, member, programs, public, referrals, rewards, setup, stamps

app_name = "loyalty"
urlpatterns = [
    path("", member.list_members, name="members"),
    path("programs/", programs.list_programs, name="programs"),
    path("programs/new/", programs.new_program, name="new_program"),
    path("programs/<int:pk>/", programs.show_program, name="program"),
    path("programs/<int:pk>/move/", programs.move_program, name="move_program"),
    path("programs/<int:pk>/board/", programs.show_board, name="board"),
    path("programs/<int:pk>/referrals/", referrals.show_referrals, name="referrals"),
    path("programs/<int:pk>/publish/", setup.publish, name="publish"),
    path("programs/<int:pk>/simulation/", setup.show_simulation, name="simulation"),
    path("programs/<int:pk>/setup/<slug:step>/", setup.edit_step, name="setup"),
    path("programs/<int:pk>/setup/<slug:step>/preview/", setup.show_preview, name="preview"),
    path("points/", counter.find_member, name="points"),
    path("customers/<int:pk>/", member.customer_panel, name="customer_panel"),
    path("customers/<int:pk>/enrol/", counter.enrol, name="enrol"),
    path("customers/<int:pk>/code/", referrals.enter_code, name="enter_code"),
    path("members/<int:pk>/", member.show_member, name="member"),
    path("members/<int:pk>/seen/", public.show_to_staff, name="seen"),
    path("members/<int:pk>/code/", referrals.make_code, name="make_code"),
    path("members/<int:pk>/card/", cards.show_card, name="card"),
    path("members/<int:pk>/give/", counter.give, name="give"),
    path("members/<int:pk>/take/", counter.take, name="take"),
    path("members/<int:pk>/redeem/", counter.redeem, name="redeem"),
    path("members/<int:pk>/rewards/<int:reward>/", counter.redeem_reward, name="redeem_reward"),
    path("members/<int:pk>/cards/<int:card>/stamp/", stamps.give_stamp, name="give_stamp"),
    path("members/<int:pk>/stamps/<int:stamp>/back/", stamps.take_stamp, name="take_stamp"),
    path("stamps/", stamps.list_stamp_cards, name="stamp_cards"),
    path("rewards/", rewards.list_rewards, name="rewards"),
    path("rewards/<int:pk>/picture/", rewards.show_picture, name="picture"),
    path("vouchers/", rewards.check_voucher, name="vouchers"),
    path("vouchers/<int:pk>/use/", rewards.use, name="use_voucher"),
    path("vouchers/<int:pk>/undo/", rewards.undo, name="undo_use"),
    path("members/<int:pk>/undo/<int:entry>/", counter.undo, name="undo"),
]
