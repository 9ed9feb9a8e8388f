// Spinners filled with labelled values.
package org.mobilesr.app

import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Spinner

/** A [Spinner] whose lines stand for values. */
class Choices<T>(private val spinner: Spinner, private val label: (T) -> String) {
    /** What is offered. */
    var values: List<T> = emptyList()
        private set

    /** The chosen value, null if there is nothing to choose from. */
    val chosen: T? get() = values.getOrNull(spinner.selectedItemPosition)

    /** Offers [values] with [chosen] selected. */
    fun offer(values: List<T>, chosen: T?) {
        if (values != this.values) {
            this.values = values
            spinner.adapter = ArrayAdapter(spinner.context, android.R.layout.simple_spinner_item, values.map(label)).apply {
                setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item)
            }
        }
        val index = values.indexOf(chosen)
        if (index >= 0 && index != spinner.selectedItemPosition) spinner.setSelection(index)
    }

    /** Calls [listener] with each value that becomes selected. */
    fun onChosen(listener: (T) -> Unit) {
        spinner.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(parent: AdapterView<*>?, view: View?, position: Int, id: Long) {
                values.getOrNull(position)?.let(listener)
            }

            override fun onNothingSelected(parent: AdapterView<*>?) = Unit
        }
    }

    /** Whether the user may choose. */
    fun enable(enabled: Boolean) {
        spinner.isEnabled = enabled
    }
}
