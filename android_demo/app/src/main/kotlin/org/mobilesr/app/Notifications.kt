// The two notifications: work that goes on, and work that ended while nobody looked.
package org.mobilesr.app

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.Context
import android.content.Intent

/** Builds and shows them; what does not change is made once. */
class Notifications(private val context: Context) {
    private val manager = context.getSystemService(NotificationManager::class.java)!!
    private val texts = Texts(context)
    private val open: PendingIntent by lazy {
        val intent = Intent(context, MainActivity::class.java).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK)
        PendingIntent.getActivity(context, 0, intent, PendingIntent.FLAG_IMMUTABLE)
    }
    private val stop: PendingIntent by lazy {
        PendingIntent.getService(context, 0, Intent(context, UpscaleService::class.java).setAction(UpscaleService.CANCEL), PendingIntent.FLAG_IMMUTABLE)
    }

    init {
        manager.createNotificationChannel(NotificationChannel(WORK_CHANNEL, context.getString(R.string.channel_work), NotificationManager.IMPORTANCE_LOW))
        manager.createNotificationChannel(NotificationChannel(DONE_CHANNEL, context.getString(R.string.channel_done), NotificationManager.IMPORTANCE_DEFAULT))
    }

    /** The notification of work under way. */
    fun working(state: ScreenState): Notification {
        val working = state as? ScreenState.Working
        val progress = working?.progress
        return Notification.Builder(context, WORK_CHANNEL)
            .setSmallIcon(R.drawable.ic_notification)
            .setContentTitle(context.getString(R.string.notification_title))
            .setContentText(working?.let { texts.progress(it) })
            .setProgress(progress?.total ?: 0, progress?.done ?: 0, progress == null)
            .setOngoing(true)
            .setOnlyAlertOnce(true)
            .setCategory(Notification.CATEGORY_PROGRESS)
            .setContentIntent(open)
            .addAction(Notification.Action.Builder(null, context.getString(R.string.cancel), stop).build())
            .build()
    }

    /** Shows what [working] gives for [state]. */
    fun update(state: ScreenState) = manager.notify(WORK, working(state))

    /** Says what became of the work, unless it was cancelled. */
    fun ended(state: ScreenState) {
        val (title, text) = when (state) {
            is ScreenState.Done -> context.getString(R.string.notification_done) to texts.done(state)
            is ScreenState.Failed -> context.getString(R.string.failed_title) to texts.failure(state.failure)
            else -> return
        }
        manager.notify(
            DONE,
            Notification.Builder(context, DONE_CHANNEL)
                .setSmallIcon(R.drawable.ic_notification)
                .setContentTitle(title)
                .setContentText(text)
                .setStyle(Notification.BigTextStyle().bigText(text))
                .setContentIntent(open)
                .setAutoCancel(true)
                .build(),
        )
    }

    /** Somebody is looking at the result now. */
    fun seen() = manager.cancel(DONE)

    companion object {
        /** Identifies the notification of the foreground service. */
        const val WORK = 1
        private const val DONE = 2
        private const val WORK_CHANNEL = "work"
        private const val DONE_CHANNEL = "done"
    }
}
