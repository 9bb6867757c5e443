from campaigns.actions.drafts import create_campaign, delete_campaign, duplicate_campaign, update_campaign
from campaigns.actions.following import follow_dispatch
from campaigns.actions.launching import launch_campaign, launch_scheduled, note_broken_launch, note_broken_plan, plan_campaign
from campaigns.actions.lifecycle import cancel_campaign, pause_campaign, resume_campaign, schedule_campaign, unschedule_campaign
from campaigns.actions.trying import send_test

__all__ = [
    "cancel_campaign",
    "create_campaign",
    "delete_campaign",
    "duplicate_campaign",
    "follow_dispatch",
    "launch_campaign",
    "launch_scheduled",
    "note_broken_launch",
    "note_broken_plan",
    "pause_campaign",
    "plan_campaign",
    "resume_campaign",
    "schedule_campaign",
    "send_test",
    "unschedule_campaign",
    "update_campaign",
]
